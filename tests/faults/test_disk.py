"""A disk that is full or fails: who wrote what was not kept gets an error, reads go on, and what was acknowledged
is there when the disk is well again, before and after a restart."""
import errno
import os
import subprocess
import tempfile
import unittest

from faulty import FAIL, FAIL_HALF, SYNC, WRITE, FaultyServer
from link import Client, Link, Refused, Server, log_of, until


class Disk(unittest.TestCase):
    def serve(self, kind=FaultyServer, **options):
        server = kind(persist=True, **options)
        self.addCleanup(server.remove)
        return server

    def fill(self, server, link, value=lambda n: n):
        """Sets a key again and again until that fails; the last number that was acknowledged, and the failure."""
        for n in range(1, 100000):
            try:
                link.call("set", value(n), key="k")
            except Refused as refused:
                return n - 1, refused
        self.fail("nothing failed")

    def well(self, link):
        """Writing works again; the revision of the write."""
        got = []

        def again():
            try:
                got.append(link.call("set", "well", key="again")["rev"])
            except Refused as refused:
                self.assertEqual(refused.code, "internal")
                self.assertFalse(refused.unknown, refused)
            return got

        until(again, "a write that is kept")
        return got[0]

    def study(self, call, action, durability, error=errno.EIO):
        server = self.serve(durability=durability)
        link, other = Link(server.path), Link(server.path)
        for session in ("s0", "s1"):
            link.call("session_open", session=session)
        server.strike(call, action, skip=10, error=error)
        last, refused = self.fill(server, link)
        self.assertGreater(last, 3)
        self.assertEqual((refused.code, refused.unknown), ("internal", True), refused)
        self.assertIn(os.strerror(error), str(refused))
        rev = other.call("get", key="k")["rev"]
        for _ in range(3):
            self.assertEqual(other.value("get", key="k"), last)
            with self.assertRaises(Refused) as caught:
                other.call("set", 0, key="k")
            self.assertEqual((caught.exception.code, caught.exception.unknown), ("internal", False))
        self.assertIs(other.value("stats")["writes_refused"], True)
        server.heal()
        self.assertGreater(self.well(link), rev)
        for session in ("s0", "s1"):
            link = Link(server.path)
            self.assertEqual(link.value("get"), {"k": last, "again": "well"})
            events = dict(log_of(server.path))
            values = [event["changes"][0]["value"] for event in events.values()]
            self.assertEqual(values, [*range(1, last + 1), "well"])
            got = [link.call("watch", session=session, timeout_ms=0)["rev"]]
            while len(got) < len(events):
                got.append(link.call("watch", session=session, ack=got[-1], timeout_ms=0)["rev"])
            self.assertEqual(got, list(events))
            server.restart()

    def test_write(self):
        for durability in ("always", "second", "process"):
            for action in (FAIL, FAIL_HALF):
                for error in (errno.EIO, errno.ENOSPC):
                    with self.subTest(durability=durability, action=action, error=error):
                        self.study(WRITE, action, durability, error)

    def test_sync(self):
        self.study(SYNC, FAIL, "always")

    def test_killed_while_failing(self):
        """Nobody was told that it was kept; nothing before it is lost."""
        for call, durability in ((WRITE, "process"), (WRITE, "always"), (SYNC, "always")):
            with self.subTest(call=call, durability=durability):
                server = self.serve(durability=durability)
                server.strike(call, FAIL_HALF, skip=10)
                last, _ = self.fill(server, Link(server.path))
                server.kill()
                server.heal()
                server.start()
                link = Link(server.path)
                self.assertIn(link.value("get", key="k"), (last, last + 1))
                self.well(link)

    def test_numbered(self):
        """A numbered request that failed has an unknown outcome while the disk fails. It is never done later behind
        the client's back; sent again afterwards it is done once."""
        server = self.serve(durability="process")
        client, done = Client(server.path), 0
        for _ in range(5):
            server.strike(WRITE, FAIL)
            with self.assertRaises(Refused) as caught:
                client.write("incr", key="n")
            self.assertTrue(caught.exception.unknown)
            with self.assertRaises(Refused) as caught:
                client.ask("incr", key="n", client=client.name, seq=client.seq)
            self.assertEqual((caught.exception.code, caught.exception.unknown), ("internal", True))
            server.heal()
            self.well(client.link)
            self.assertEqual(client.ask("get", 0, key="n")["value"], done)  # not behind the client's back
            for _ in range(2):  # certainly undone: the same number can be used again, once
                self.assertEqual(client.ask("incr", key="n", client=client.name, seq=client.seq)["value"], done + 1)
            self.assertEqual(client.write("incr", key="n")["value"], done + 2)
            done += 2
            server.restart()
            for _ in range(2):
                self.assertEqual(client.ask("incr", key="n", client=client.name, seq=client.seq)["value"], done)
        self.assertEqual(client.ask("get", key="n")["value"], done)

    def test_full(self):
        """A disk of 1 MiB that is really full."""
        for durability in ("always", "process"):
            folder = tempfile.mkdtemp(prefix="zproc-full-")
            self.addCleanup(os.rmdir, folder)
            mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True)
            if mounted.returncode:
                self.skipTest("cannot mount a tmpfs: %s" % mounted.stderr.decode().strip())
            self.addCleanup(subprocess.run, ["umount", folder], check=True)
            ballast = folder + "/ballast"
            with open(ballast, "wb") as file:
                file.write(bytes(600 << 10))
            server = self.serve(Server, durability=durability, folder=folder + "/state")
            link = Link(server.path)
            last, refused = self.fill(server, link, lambda n: [n, "x" * 1000])
            self.assertEqual((refused.code, refused.unknown), ("internal", True), refused)
            self.assertGreater(last, 100)
            self.assertEqual(link.value("get", key="k")[0], last)
            server.kill()
            server.start()  # the disk is full still: it serves what it has, and says why it changes nothing
            link = Link(server.path)
            self.assertEqual(link.value("get", key="k")[0], last)
            with self.assertRaises(Refused) as caught:
                link.call("set", 1, key="other")
            self.assertIn("No space left on device", str(caught.exception))
            self.assertIs(link.value("stats")["writes_refused"], True)
            server.restart()
            link = Link(server.path)
            self.assertEqual(link.value("get", key="k")[0], last)
            os.unlink(ballast)
            self.well(link)
            for _ in range(2):
                link = Link(server.path)
                self.assertEqual(link.value("get", key="k")[0], last)
                self.assertEqual(link.value("get", key="again"), "well")
                values = [event["changes"][0]["value"] for _, event in log_of(server.path)]
                self.assertEqual([value[0] for value in values[:-1]], list(range(1, last + 1)))
                server.restart()


if __name__ == "__main__":
    unittest.main(verbosity=2)
