"""Histories of concurrent clients, some of them killed: linearizable for each key, and in the order of the log.
ZPROC_HISTORY_SECONDS: how long each runs (default 3)."""
import errno
import os
import random
import subprocess
import tempfile
import time
import unittest

from faulty import FAIL, FAIL_HALF, KILL_AFTER, KILL_BEFORE, KILL_HALF, SYNC, WRITE, FaultyServer
from linear import explain
from link import Server, log_of
from record import record

SECONDS = float(os.environ.get("ZPROC_HISTORY_SECONDS", "3"))
EXTRA = ("atomic",)


def check(test, recording):
    """Each key alone, then all of them by their revisions."""
    count = 0
    for key, ops in recording.keys.items():
        why = explain(ops)
        test.assertIsNone(why, "key %s: %s" % (key, why))
        count += len(ops)
    # A revision that was answered before a request was sent is not above the one that answers it.
    events = sorted([(call, 0, i) for i, (call, _, _, _) in enumerate(recording.calls)] +
                    [(end, 1, i) for i, (_, end, _, _) in enumerate(recording.calls)])
    floor, below = 0, {}
    for _, ended, index in events:
        rev = recording.calls[index][2]
        if ended:
            test.assertGreaterEqual(rev, below[index], "the revision went back")
            floor = max(floor, rev)
        else:
            below[index] = floor
    revisions = [rev for rev, _, _ in recording.acknowledged]
    test.assertEqual(len(revisions), len(set(revisions)), "a revision was given twice")
    return count


def check_log(test, path, recording):
    """Every acknowledged write is in the log, with its revision, its key and its value."""
    log = {rev: event for rev, event in log_of(path, duplicates=True)}
    for rev, key, op in recording.acknowledged:
        if (op.name == "pop" and op.args == (op.result,)) or (op.name == "setdefault" and op.args != (op.result,)):
            continue  # changed nothing
        event = log.get(rev)
        test.assertTrue(event, "revision %d was acknowledged, but is not in the log: %s" % (rev, op))
        if event["identical"]:
            continue
        change, = event["changes"]
        test.assertEqual(change["key"], key, op)
        if op.name in ("set", "incr", "cas", "create"):
            test.assertEqual(change["value"], op.args[0] if op.name == "set" else op.result, op)
    return len(log)


class History(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="zproc-history-")
        self.addCleanup(self.folder.cleanup)

    def serve(self, *arguments, **options):
        server = Server("--log-limit", "1GiB", *arguments, **options)
        self.addCleanup(server.remove)
        return server

    def study(self, server, recording, kills):
        count = check(self, recording)
        logged = check_log(self, server.path, recording)
        print("%d operations, %d of unknown outcome, on %d keys; %d acknowledged writes, %d in the log; "
              "%d clients and %d servers killed" % (count, recording.unknown(), len(recording.keys),
                                                    len(recording.acknowledged), logged, kills, server.kills))
        self.assertGreater(len(recording.acknowledged), 100 * SECONDS)

    def test_clients_killed(self):
        server = self.serve()
        self.study(server, *record(server.path, self.folder.name, SECONDS, kill_clients=20, extra=EXTRA))
        self.assertEqual(server.stop(), "")

    def faulty(self, durability):
        server = FaultyServer("--log-limit", "1GiB", persist=True, durability=durability)
        self.addCleanup(server.remove)
        return server

    def servers_killed(self, durability, resend):
        """Clients and servers die; half of the servers at a write that was begun."""
        server, rng = self.faulty(durability), random.Random()

        def hurt():
            time.sleep(rng.random() * 0.15)
            if rng.random() < 0.5:
                server.strike(WRITE, rng.choice((KILL_BEFORE, KILL_HALF, KILL_AFTER)), skip=rng.randrange(20))
                try:
                    server.wait(2)
                    server.kills += 1
                    server.heal()
                    server.start()
                    return
                except subprocess.TimeoutExpired:
                    server.heal()  # the clients have ended already
            server.restart()

        self.study(server, *record(server.path, self.folder.name, SECONDS, kill_clients=10, resend=resend, extra=EXTRA,
                                   hurt=hurt))
        server.stop()

    def test_servers_killed(self):
        self.servers_killed("process", False)

    def test_servers_killed_resending(self):
        self.servers_killed("always", True)

    def test_disk_fails(self):
        """Writes and syncs fail now and then, whole or in half; a server is killed meanwhile."""
        server, rng = self.faulty("always"), random.Random()

        def hurt():
            server.strike(rng.choice((WRITE, SYNC)), rng.choice((FAIL, FAIL_HALF)), skip=rng.randrange(20),
                          error=rng.choice((errno.EIO, errno.ENOSPC)))
            time.sleep(rng.random() * 0.15)
            if rng.random() < 0.3:
                server.kill()
                server.heal()
                server.start()
            server.heal()
            time.sleep(rng.random() * 0.3)

        self.study(server, *record(server.path, self.folder.name, SECONDS, extra=EXTRA, hurt=hurt,
                                   allow=lambda refused: "cannot be kept" in str(refused)))
        server.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
