"""Histories of concurrent clients of a server that is killed, or whose disk fails.
ZPROC_HISTORY_SECONDS: how long each (default 2)."""
import errno
import random
import subprocess
import time
import unittest

from faulty import FAIL, FAIL_HALF, KILL_AFTER, KILL_BEFORE, KILL_HALF, SYNC, WRITE, FaultyServer
from record import record
from study import EXTRA, SECONDS, Studied


class Histories(Studied):
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
