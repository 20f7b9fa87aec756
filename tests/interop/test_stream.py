"""Streams: credit, acknowledgements, edges, losses, and that neither they nor long searches disturb others."""
import os
import time

from peer import PATIENCE, Case, Refused, main, until

CHANGES = int(os.environ.get("ZPROC_TEST_CHANGES", 50000))


class Stream(Case):
    def setUp(self):
        super().setUp()
        self.c, self.s = self.client(), self.client()

    def fill(self, count, key="a"):
        for i in range(count):
            self.c.call("set", i, key=key)

    def revs(self, count, id):
        return [self.s.receive(id)["rev"] for _ in range(count)]

    def ended(self, code, id):
        with self.assertRaises(Refused) as caught:
            self.s.receive(id)
        self.assertEqual(caught.exception.code, code)

    def test_credit(self):
        s = self.s
        id = s.send("stream", credit=2, after=0)
        self.fill(5)
        self.assertEqual(self.revs(2, id), [1, 2])
        self.assertTrue(s.silent(0.05))
        s.call("credit", call=id, credit=1)
        self.assertEqual(self.revs(1, id), [3])
        self.assertTrue(s.silent(0.05))
        s.call("credit", call=id, credit=10)
        self.assertEqual(self.revs(2, id), [4, 5])
        self.fill(9)  # live: eight more are granted
        self.assertEqual(self.revs(8, id), list(range(6, 14)))
        self.assertTrue(s.silent(0.05))
        s.call("cancel", call=id)
        self.refused("not_found", "stream", s, "credit", call=id, credit=1)
        self.assertEqual(self.c.stats()["waits"], 0)

    def test_refusals(self):
        for code, part, fields in [
                ("invalid", "credit", {}), ("invalid", "credit", {"credit": 0}),
                ("invalid", "credit", {"credit": 65537}), ("invalid", "ack", {"credit": 1, "ack": 0}),
                ("invalid", "column", {"credit": 1, "condition": "when", "expr": "a +"}),
                ("lost", "'s'", {"credit": 1, "session": "s"})]:
            with self.subTest(fields=fields):
                self.refused(code, part, self.s, "stream", **fields)
        self.refused("not_found", "7", self.s, "credit", call=7, credit=1)
        self.refused("invalid", "call", self.s, "credit", credit=1)
        id = self.s.send("stream", credit=1)
        self.refused("not_found", "stream", self.c, "credit", call=id, credit=1)
        self.refused("invalid", "session", self.s, "credit", call=id, ack=0)

    def test_session(self):
        c, s = self.c, self.s
        c.call("session_open", session="s")
        self.fill(6)
        id = s.send("stream", session="s", credit=4)
        self.assertEqual(self.revs(4, id), [1, 2, 3, 4])
        self.refused("busy", "--session", c, "watch", session="s")
        self.refused("busy", "--session", c, "stream", session="s", credit=1)
        s.call("credit", call=id, ack=2)
        self.refused("invalid", "99", s, "credit", call=id, ack=99)
        self.assertTrue(s.silent(0.05))
        s.call("cancel", call=id)  # the cursor stands where it was acknowledged
        id = s.send("stream", session="s", credit=4)
        self.assertEqual(self.revs(4, id), [3, 4, 5, 6])
        s.call("credit", call=id, ack=6, credit=1)
        self.fill(1)
        self.assertEqual(self.revs(1, id), [7])
        s.close()  # gone without an acknowledgement
        until(lambda: c.stats()["waits"] == 0)
        self.assertEqual(c.call("watch", session="s", timeout_ms=0)["rev"], 7)

    def test_closed_session(self):
        c, s = self.c, self.s
        for credit in (1, 2):  # one that rests, one that waits
            c.call("session_open", session="s")
            id = s.send("stream", session="s", credit=credit)
            s.call("ping")
            rev = c.call("set", credit, key="a")["rev"]
            self.assertEqual(self.revs(1, id), [rev])
            c.call("session_close", session="s")
            self.ended("lost", id)
        self.assertEqual(c.stats()["waits"], 0)

    def test_edge_and_level(self):
        c, s = self.c, self.s
        c.call("set", 1, key="n")
        edge = s.send("stream", condition="truthy", key="n", credit=9, want="value")
        got = s.receive(edge)
        self.assertEqual((got["rev"], got["first"], got["value"]), (1, True, 1))
        for value in (2, 0, 3, 4):
            c.call("set", value, key="n")
        self.assertEqual(self.revs(1, edge), [4])
        s.call("cancel", call=edge)
        level = s.send("stream", condition="truthy", key="n", credit=9, edge=False, after=1, next=True)
        self.assertEqual(self.revs(3, level), [2, 4, 5])
        s.call("cancel", call=level)
        c.call("session_open", session="s", rev=0)  # its first check is made once
        for first in (True, False):
            id = s.send("stream", condition="truthy", key="n", credit=9, session="s", live=True)
            if first:
                self.assertTrue(s.receive(id)["first"])
                s.call("credit", call=id, ack=5)
            self.assertTrue(s.silent(0.05))
            s.call("cancel", call=id)

    def test_timeout(self):
        s = self.s
        self.fill(40)
        id = s.send("stream", credit=50, after=0, timeout_ms=0)
        self.assertEqual(self.revs(40, id), list(range(1, 41)))
        self.ended("timeout", id)
        id = s.send("stream", credit=30, after=0, timeout_ms=0)  # ends when all is read, not before
        self.assertEqual(self.revs(30, id), list(range(1, 31)))
        self.assertTrue(s.silent(0.05))
        s.send("credit", call=id, credit=30)
        s.receive()
        self.assertEqual(self.revs(10, id), list(range(31, 41)))
        self.ended("timeout", id)
        id = s.send("stream", credit=1, timeout_ms=30)
        self.ended("timeout", id)
        id = s.send("stream", credit=1, timeout_ms=0, condition="when", expr="a < 0", after=0)
        self.ended("timeout", id)
        self.assertEqual(self.c.stats()["waits"], 0)

    def test_wants(self):
        c, s = self.c, self.s
        id = s.send("stream", credit=9, want="snapshot", keys=["a"])
        s.call("ping")
        c.call("set", 1, key="a")
        c.call("set", 1, key="b")
        c.call("del", key="a")
        self.assertEqual([s.receive(id)["value"] for _ in range(2)], [{"a": 1}, {"b": 1}])

    def test_too_large(self):
        """An event that does not fit into an answer ends its stream, and nothing else."""
        c, s = self.c, self.s
        for key in "ab":
            c.call("set", "x" * (9 << 20), key=key)
        for fields in ({"after": 1}, {"condition": "available", "key": "a"}):
            id = s.send("stream", credit=9, want="snapshot", **fields)
            self.ended("too_large", id)
            self.refused("not_found", "", s, "credit", call=id, credit=1)
        self.assertEqual(c.stats()["waits"], 0)

    def test_many_on_one_key(self):
        c, s = self.c, self.s
        ids = [s.send("stream", credit=2, keys=["a"], want="snapshot") for _ in range(1000)]
        until(lambda: c.stats()["waits"] == 1000)
        c.call("set", "x" * 20000, key="a")
        got = [s.receive()["id"] for _ in range(1000)]
        self.assertEqual(sorted(got), ids)

    def test_fairness(self):
        """Searches of the whole log by many do not keep another client from its answers."""
        c, s = self.c, self.s
        for _ in range(100):  # the log keeps all of them
            for j in range(500):
                c.send("set", j, key="a")
            for j in range(500):
                c.receive()
        start = time.monotonic()
        for _ in range(50):
            s.send("watch", condition="when", expr="a < 0 || size(state) < 0", after=0, timeout_ms=0)
        worst = 0
        searching = 50
        while searching:
            before = time.monotonic()
            c.call("ping")
            worst = max(worst, time.monotonic() - before)
            while searching and (answer := s.receive_any(0)):
                self.assertEqual(answer[0]["error"], "timeout")
                searching -= 1
            self.assertLess(time.monotonic() - start, 4 * PATIENCE)
        self.assertLess(worst, (time.monotonic() - start) / 2 + 0.1)


class Lost(Case):
    arguments = ("--log-limit", "20000")

    def test_once(self):
        c, s = self.client(), self.client()
        id = s.send("stream", credit=2, after=0)
        s.call("ping")
        for i in range(500):
            c.call("set", i, key="a")
        self.assertEqual([s.receive(id)["rev"] for _ in range(2)], [1, 2])
        s.call("credit", call=id, credit=3)
        oldest = c.stats()["oldest"]
        got = s.receive(id)
        self.assertEqual((got["lost"], got["rev"], got["value"]), (oldest - 3, oldest - 1, None))
        self.assertEqual([s.receive(id)["rev"] for _ in range(2)], [oldest, oldest + 1])
        self.assertTrue(s.silent(0.05))

    def test_session(self):
        c, s = self.client(), self.client()
        c.call("session_open", session="s", rev=0)
        for i in range(500):
            c.call("set", i, key="a")
        oldest = c.stats()["oldest"]
        id = s.send("stream", credit=1, session="s")
        self.assertEqual(s.receive(id)["lost"], oldest - 1)
        s.call("cancel", call=id)
        self.assertEqual(c.call("watch", session="s", timeout_ms=0)["rev"], oldest)


class Memory(Case):
    arguments = ("--log-limit", "8MiB")

    def memory(self):
        with open("/proc/%d/status" % self.server.process.pid) as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    def test_who_never_reads(self):
        """A stream whose client does not read costs its place in the log, whatever is changed meanwhile."""
        with open("/proc/%d/maps" % self.server.process.pid) as file:
            if "libasan" in file.read():
                self.skipTest("a sanitizer's memory is not the server's")
        c = self.client()
        start = self.memory()
        for want in ("event", "snapshot", "value"):
            self.client(rcvhwm=1).send("stream", credit=65536, after=0, want=want)
        for i in range(0, CHANGES, 500):
            for j in range(500):
                c.send("set", "value number %d of many" % (i + j), key="k%d" % (j % 100))
            for j in range(500):
                c.receive()
        self.assertLess(self.memory() - start, (8 + 16) * 1024)


if __name__ == "__main__":
    main()
