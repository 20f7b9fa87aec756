"""kill -9 of a server that keeps its state, at any time and at chosen writes, under load: nothing that was
acknowledged is lost, nothing is done twice, watchers in sessions see every change exactly once and in order.
ZPROC_KILLS: how many for each durability (default 10)."""
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest

from faulty import KILL_AFTER, KILL_BEFORE, KILL_HALF, POWER, SYNC, WRITE, FaultyServer
from link import LOST, Client, Link, Refused, link_until, log_of, until
from record import Notes, join, spawn

KILLS = int(os.environ.get("ZPROC_KILLS", "10"))
WORKERS = 8
PAUSE = 0.0001 * KILLS  # seconds at most between two pairs of changes: many kills do not make too many changes


def work(path, notes, number, stop, pad):
    """Adds one to a sum, then sets its own key to how often it did."""
    client, done, rev = Client(path), 0, 0
    while not os.path.exists(stop):
        for got in (client.write("incr", key="sum"), client.write("set", [done + 1, pad], key="w%d" % number)):
            assert got["rev"] > rev, "revision %d after %d" % (got["rev"], rev)
            rev = got["rev"]
        done += 1
        notes.add("done", done, rev, client.again)
        time.sleep(random.random() * PAUSE)
    client.close()


def watch(path, notes, session, last, **condition):
    """Notes every event, then acknowledges it with the next request."""
    link = link_until(path)
    while True:
        try:
            ack = {"ack": last} if last else {}
            got = link.call("watch", session=session, **ack, **condition)
            last = got["rev"]
            notes.add(last)
        except LOST:
            link.close()
            link = link_until(path)
        except Refused as refused:
            if refused.code != "busy":  # the server has not seen yet that the one before was killed
                raise
            time.sleep(0.002)


def stream(path, notes, session, last):
    """Takes many events at a time, and acknowledges several at once."""
    while True:
        link = link_until(path)
        try:
            ack = {"ack": last} if last else {}
            id, taken = link.send("stream", session=session, credit=64, **ack), 0
            while True:
                got = link.receive()
                if got["id"] != id:
                    continue  # the answer to an acknowledgement
                last, taken = got["rev"], taken + 1
                notes.add(last)
                if taken % 16 == 0:
                    link.send("credit", call=id, credit=16, ack=last)
        except LOST:
            link.close()
        except Refused as refused:
            link.close()
            if refused.code != "busy":  # the server has not seen yet that the connection before is gone
                raise
            time.sleep(0.002)


class Watcher:
    """A session's watcher; again() kills it and starts another, which may see one event a second time."""

    def __init__(self, path, folder, session, take=watch, **condition):
        self.path, self.session, self.take, self.condition = path, session, take, condition
        self.file = folder + "/" + session
        self.kills = 0
        link = Link(path)
        link.call("session_open", session=session, rev=0)
        link.close()
        self.start(0)

    def start(self, last):
        self.pid = spawn(lambda: self.take(self.path, Notes(self.file), self.session, last, **self.condition))

    def seen(self):
        return [line[0] for line in Notes.read(self.file)] if os.path.exists(self.file) else []

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        self.assert_killed(join(self.pid))

    @staticmethod
    def assert_killed(status):
        assert status == -signal.SIGKILL, "a watcher ended with %d" % status

    def again(self):
        self.end()
        self.kills += 1
        Notes(self.file).add("killed")
        self.start(0)


class Kill(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="zproc-kill-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def hurt(self, server, rng, power):
        """One kill: at any time, or at, within or behind one of the next writes or syncs; power: what was not synced
        is lost."""
        if not power and rng.random() < 0.5:
            time.sleep(rng.random() * 0.2)
            server.restart()
            return
        call = rng.choice((WRITE, SYNC)) if server.durability == "always" else WRITE
        server.control.power = rng.choice(POWER) if power else 0
        server.strike(call, rng.choice((KILL_BEFORE, KILL_HALF, KILL_AFTER)), skip=rng.randrange(100))
        try:
            self.assertEqual(server.wait(), -signal.SIGKILL)
        except subprocess.TimeoutExpired:
            self.fail("no write came: %s" % server.said())
        server.heal()
        if power:
            server.boot()
        server.kills += 1
        server.start()

    def campaign(self, durability, sessions, pad="", log="1GiB", power=False):
        """Kills under load; sessions: what each watches. Returns the server, the workers' notes and the watchers."""
        server = FaultyServer("--log-limit", log, persist=True, durability=durability)
        self.addCleanup(server.remove)
        watchers = [Watcher(server.path, self.folder, name, **fields) for name, fields in sessions.items()]
        for watcher in watchers:
            self.addCleanup(watcher.end)
        stop = self.folder + "/stop"
        files = ["%s/worker-%d" % (self.folder, n) for n in range(WORKERS)]
        pids = [spawn(lambda: work(server.path, Notes(file), n, stop, pad)) for n, file in enumerate(files)]
        rng = random.Random()
        for _ in range(KILLS):
            self.hurt(server, rng, power)
            if "mortal" in sessions and rng.random() < 0.2:
                watchers[-1].again()
        open(stop, "w").close()
        self.assertEqual([join(pid) for pid in pids], [0] * WORKERS, server.said())
        workers = [Notes.read(file) for file in files]
        link = Link(server.path)
        done = [lines[-1][1] if lines else 0 for lines in workers]
        self.assertEqual(link.value("get", key="sum"), sum(done))
        self.assertEqual([link.value("get", key="w%d" % n) for n in range(WORKERS)], [[n, pad] for n in done])
        link.close()
        return server, workers, watchers

    def told(self, server, workers, count):
        print("%s: %d servers killed, %d changes, %d requests sent again" % (
            server.durability, server.kills, count, sum(lines[-1][3] for lines in workers if lines)))
        server.stop()

    def exactly_once(self, durability, power=False):
        server, workers, watchers = self.campaign(durability, power=power, sessions={
            "everything": {}, "sums": {"keys": ["sum"]}, "streamed": {"take": stream}, "mortal": {}})
        log = dict(log_of(server.path))
        for number, lines in enumerate(workers):
            for _, count, rev, _ in lines:
                change, = log[rev]["changes"]
                self.assertEqual((change["key"], change["value"][0]), ("w%d" % number, count))
        changes = list(log)
        sums = [rev for rev, event in log.items() if event["changes"][0]["key"] == "sum"]
        self.assertEqual([log[rev]["changes"][0]["value"] for rev in sums], list(range(1, len(sums) + 1)))
        self.assertEqual(len(changes), 2 * len(sums))
        for watcher, expected in zip(watchers, (changes, sums, changes, changes)):
            until(lambda: watcher.seen()[-1:] == expected[-1:], "the last event of '%s'" % watcher.session)
        self.same(watchers[0].seen(), changes)
        self.same(watchers[1].seen(), sums)
        self.same(watchers[2].seen(), changes)
        seen = watchers[3].seen()
        self.same([rev for i, rev in enumerate(seen) if rev != "killed" and
                   not (i > 1 and seen[i - 1] == "killed" and rev in seen[max(0, i - 3):i])], changes)
        self.told(server, workers, len(changes))

    def same(self, seen, expected):
        if seen != expected:
            place = next((i for i, (a, b) in enumerate(zip(seen, expected)) if a != b), min(len(seen), len(expected)))
            self.fail("event %d of %d (%d expected): seen %r, in the log %r" % (
                place, len(seen), len(expected), seen[max(0, place - 3):place + 5], expected[max(0, place - 3):place + 5]))

    def test_always(self):
        self.exactly_once("always")

    def test_process(self):
        self.exactly_once("process")

    def test_power(self):
        """What is not synced is lost, or half of it, or all but its length."""
        self.exactly_once("always", power=True)

    def test_power_process(self):
        """Below always a power cut may lose changes, but the rest is there and no revision is used again."""
        for durability in ("process", "second"):
            server = FaultyServer(persist=True, durability=durability)
            self.addCleanup(server.remove)
            until(lambda: server.synced("meta"), "a synced meta")
            highest = last = 0
            for power in POWER * 2:
                link = Link(server.path)
                server.control.power = power
                server.strike(WRITE, KILL_AFTER, skip=20)
                with self.assertRaises(LOST):
                    while True:
                        got = link.call("incr", key="n")
                        self.assertGreater(got["rev"], highest)
                        highest, last = got["rev"], got["value"]
                server.wait()
                server.boot()
                server.start()
                self.assertLessEqual(Link(server.path).value("get", 0, key="n"), last + 1)

    def test_segments(self):
        """Large values and a small log: segments begin and are removed, snapshots are written, at any time."""
        server, workers, _ = self.campaign("process", {}, pad="x" * 10000, log="256KiB")
        link = Link(server.path)

        def snapshot_written():  # on a slow machine the campaign alone may not have filled enough segments
            link.call("set", "x" * 100000, key="filling", ns="filling")
            return any(file.startswith("snapshot-") for file in os.listdir(server.folder))
        until(snapshot_written, "a snapshot")
        link.close()
        files = os.listdir(server.folder)
        self.assertLess(sum(os.path.getsize(server.folder + "/" + file) for file in files), 64 << 20, files)
        self.told(server, workers, 2 * sum(lines[-1][1] for lines in workers if lines))


if __name__ == "__main__":
    unittest.main(verbosity=2)
