"""No client holds the others up, starves them, or makes the server grow: whatever it asks for."""
import json
import socket
import struct

from peer import Case, Refused, main, until

HEAVY = "range.all(x, range.all(y, x + y >= 0)) && go > 0"  # some 25,000 steps
RANGE = list(range(90))


class Work(Case):
    """What one request may take of the processor, so that the answers to others wait for a moment only."""

    def setUp(self):
        """Without bounds these take minutes. With them they take less than a second, or on a slow machine not much
        more than a large value that is only read."""
        super().setUp()
        before, c = self.server.cpu(), self.client()
        c.call("set", list(range(1000000)), key="large")
        c.call("del", key="large")
        self.bound = max(1.5, 15 * (self.server.cpu() - before))

    def costs(self, client, op, value=..., **fields):
        """The answer, or the code of the refusal."""
        before = self.server.cpu()
        try:
            result = client.call(op, value, **fields)
        except Refused as refused:
            result = refused.code
        self.assertLess(self.server.cpu() - before, self.bound, (op, fields))
        return result

    def test_patch(self):
        c = self.client()
        c.call("set", list(range(100000)), key="l")
        self.costs(c, "patch", [{"op": "add", "path": "/l/-", "value": 1}] * 100000)
        self.assertEqual(c.value("eval", expr="size(l)"), 200000)
        self.costs(c, "patch", [{"op": "replace", "path": "/l/5", "value": {"a": 1}},
                                {"op": "replace", "path": "/l/5/a", "value": 2}] * 50000)
        self.assertEqual(c.value("get", key="l", path="/5"), {"a": 2})
        revision = c.stats()["revision"]
        for step in ({"op": "remove", "path": "/l/0"}, {"op": "add", "path": "/l/0", "value": 1},
                     {"op": "copy", "from": "", "path": "/x"}):
            self.assertEqual(self.costs(c, "patch", [step] * 100000), "too_large")
        self.assertEqual(c.stats()["revision"], revision)

    def test_merge(self):
        c = self.client()
        c.call("set", {"m%d" % i: i for i in range(200000)}, key="m")
        self.costs(c, "patch", {"m": {"m%d" % i: None for i in range(199999)}}, merge=True)
        self.assertEqual(c.value("get", key="m"), {"m199999": 199999})

    def test_expressions(self):
        c = self.client()
        c.call("update", {"range": RANGE * 2, "go": 1})
        heavy = HEAVY.replace("&& go > 0", "")
        self.assertEqual(self.costs(c, "atomic", assign="; ".join(["b = " + heavy] * 256)), "too_large")
        # An error in a condition is false, and so is one that comes after too many steps.
        self.assertEqual(self.costs(c, "txn", **{"if": [heavy] * 64, "then": "b = 1"}), "conflict")

    def test_assignments_to_a_large_list(self):
        c = self.client()
        c.call("set", [0] * 300000, key="l")
        self.costs(c, "atomic", assign="; ".join("l[%d] = %d" % (i, i) for i in range(256)))
        self.assertEqual(c.value("get", key="l", path="/255"), 255)


class Waking(Case):
    def test_waiting_transactions(self):
        """One commit wakes many whose conditions take long: others are answered in between, and the order of
        arrival is kept."""
        c, other = self.client(), self.client()
        c.call("update", {"range": RANGE, "go": 0, "done": []})
        count = 300
        ids = [c.send("txn", **{"if": [HEAVY], "then": "done = done + [%d]" % i, "wait": True})
               for i in range(count)]
        until(lambda: other.stats()["waits"] == count)
        other.call("set", 1, key="go")
        seen = set()
        while len(seen) == 0 or max(seen) < count:
            seen.add(len(other.value("get", key="done")))
        self.assertGreater(len(seen), 5)
        self.assertEqual([c.receive()["id"] for _ in ids], ids)
        self.assertEqual(other.value("get", key="done"), list(range(count)))

    def test_newcomers_do_not_overtake(self):
        """A token goes to who came first, also while those who came before have not been tried yet."""
        c, late = self.client(), self.client()
        c.call("update", {"range": RANGE, "go": 0})
        ids = [c.send("txn", **{"if": [HEAVY], "then": "go = go - 1", "wait": True}) for _ in range(200)]
        until(lambda: late.stats()["waits"] == 200)
        late.send("set", 100, key="go")
        mine = late.send("txn", **{"if": ["go > 0"], "then": "go = go - 1", "wait": True})
        late.receive()
        self.assertEqual([c.receive()["id"] for _ in range(100)], ids[:100])
        self.assertTrue(late.silent())
        late.send("cancel", call=mine)
        late.receive()

    def test_heavy_watches(self):
        c, other = self.client(), self.client()
        c.call("update", {"range": RANGE, "go": 0})
        for _ in range(500):
            c.send("watch", condition="when", expr=HEAVY)
        until(lambda: other.stats()["waits"] == 500)
        other.call("set", 1, key="go")
        seen = set()
        while 0 not in seen:
            seen.add(other.stats()["waits"])
        self.assertGreater(len(seen), 5)
        for _ in range(500):
            c.receive()


def sanitized(server):
    with open("/proc/%d/maps" % server.process.pid) as file:
        return "libasan" in file.read()


class Reader:
    """A DEALER of its own making that sends requests and reads nothing, not even into a buffer of this process."""

    GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 32)
    READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(3)
        self.socket.connect(address[len("ipc://"):])
        self.socket.sendall(self.GREETING + self.READY)
        left = 64 + 2  # the server's greeting, and the beginning of its READY
        while left:
            got = self.socket.recv(left)
            assert got, "the server has closed the connection"
            left -= len(got)

    def send(self, op, value=None, **fields):
        frames = [b"", json.dumps({"v": 1, "id": 1, "op": op, **fields}).encode()]
        frames += [value] if value is not None else []
        for i, frame in enumerate(frames):
            more = int(i + 1 < len(frames))
            self.socket.sendall(bytes([more | 2]) + struct.pack(">Q", len(frame)) + frame)

    def close(self):
        self.socket.close()


class Memory(Case):
    """Of clients that read nothing."""

    MIB = 1 << 20

    def setUp(self):
        super().setUp()
        if sanitized(self.server):
            self.skipTest("a sanitizer's memory is not the server's")
        self.c = self.client()

    def readers(self, count):
        readers = [Reader(self.server.address) for _ in range(count)]
        for reader in readers:
            self.addCleanup(reader.close)
        return readers

    def grown(self, before):
        return (self.server.memory() - before) / self.MIB

    def test_watchers_of_a_large_value(self):
        """They share one text of it."""
        for want, extra in (("value", {}), ("event", {}), ("snapshot", {}), ("snapshot", {"page": 0})):
            with self.subTest(want=want, **extra):
                readers = self.readers(200)
                for reader in readers:
                    reader.send("watch", key="large", want=want, **extra)
                until(lambda: self.c.stats()["waits"] == 200)
                before = self.server.memory()
                self.c.call("set", "x" * 4 * self.MIB, key="large")
                until(lambda: self.c.stats()["waits"] == 0)
                self.assertLess(self.grown(before), 80)
                for reader in readers:
                    reader.close()
                self.c.call("clear")

    def test_readers_of_a_large_value(self):
        self.c.call("set", "x" * 4 * self.MIB, key="large")
        before = self.server.memory()
        for reader in self.readers(100):
            for _ in range(3):
                reader.send("get", key="large")
        until(lambda: self.c.stats()["requests"] >= 300)
        self.assertLess(self.grown(before), 40)

    def test_answers_that_nobody_takes(self):
        """Nothing to share: what one of them is owed is bounded, and what all are owed is: the oldest has to go."""
        payload = b'"' + b"x" * 4 * self.MIB + b'"'
        worst, gone = 0, 0
        for reader in self.readers(60):
            try:
                for _ in range(6):
                    reader.send("ping", payload)
            except OSError:
                gone += 1
            self.c.call("ping")
            worst = max(worst, self.grown(0))
        self.assertLess(worst, 900)
        self.c.call("ping")

    def test_streams(self):
        """Credit counts events; what they are owed counts bytes."""
        before = self.server.memory()
        for reader in self.readers(10):
            reader.send("stream", credit=65536, want="value")
        until(lambda: self.c.stats()["waits"] == 10)
        for i in range(40):
            self.c.call("set", "%02d" % i + "x" * 2 * self.MIB, key="k")
        self.assertLess(self.grown(before), 64 + 10 * 2 + 120)

    def test_waiting_requests(self):
        """What they came with is bounded."""
        codes = set()
        large = json.dumps("x" * 4 * self.MIB).encode()
        before = self.server.memory()
        c = self.client()
        for _ in range(20):
            c.send("watch", large, condition="equal", key="k")
        for _ in range(4):
            codes.add(c.receive_any()[0]["error"])
        self.assertEqual(codes, {"busy"})
        self.assertLess(self.grown(before), 64 + 100)


class Namespaces(Case):
    """They are there as long as something needs them."""

    arguments = ("--log-limit", "1MiB")

    def count(self, client):
        return client.stats()["namespaces"]

    def test_what_makes_none(self):
        c = self.client()
        for i in range(50):
            ns = "n%d" % i
            self.refused("not_found", "", c, "del", key="k", ns=ns)
            self.refused("conflict", "", c, "txn", ns=ns, **{"if": ["k == 1"], "then": "k = 2"})
            self.refused("timeout", "", c, "watch", ns=ns, timeout_ms=0)
            self.refused("not_found", "", c, "get", key="k", ns=ns)
        c.call("session_open", session="s")
        self.refused("not_found", "", c, "del", key="k", ns="other", session="s")
        self.assertEqual(self.count(c), 0)

    def test_what_keeps_one(self):
        c, w = self.client(), self.client()
        w.send("watch", ns="watched")
        w.send("txn", ns="demanded", wait=True, **{"if": ["k == 1"]})
        c.call("session_open", session="s")
        c.call("go_live", session="s", ns="cursor")
        c.call("set", 1, key="k", ns="full")
        c.call("set", 1, key="k", ns="logged")
        c.call("del", key="k", ns="logged")
        self.assertEqual(self.count(c), 5)
        c.call("session_close", session="s")
        self.assertEqual(self.count(c), 4)
        w.close()
        until(lambda: self.count(c) == 2)
        for i in range(5000):  # the log moves on
            c.call("set", i, key="x", ns="full")
        self.assertEqual(self.count(c), 1)
        refused = self.refused("lost", "", c, "watch", after=1, ns="logged")  # it does not look as if it had never been
        self.assertGreater(refused.missed, 0)
        self.assertEqual(c.call("set", 1, key="k", ns="logged")["rev"], c.stats()["revision"])
        self.assertEqual(c.call("watch", ns="logged", after=c.stats()["revision"] - 1)["key"], "k")

    def test_flood_of_names(self):
        c = self.client()
        most = 0
        before = self.server.memory()
        for i in range(0, 20000, 100):
            for j in range(i, i + 100):
                c.send("set", 1, key="k", ns="name-%d" % j)
                c.send("del", key="k", ns="name-%d" % j)
            for _ in range(200):
                self.assertTrue(c.receive()["ok"])
            most = max(most, self.count(c))
        self.assertLess(most, 2000)
        if not sanitized(self.server):
            self.assertLess(self.server.memory() - before, 16 << 20)
        self.assertLess(c.stats()["log_bytes"], 1 << 20)


if __name__ == "__main__":
    main()
