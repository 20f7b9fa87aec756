"""Every operation of ops.def, over REQ and DEALER, with its errors."""
import json
import os
import re

from peer import Case, main, zmq


class Reads(Case):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.call("update", {"n": 1, "m": {"a": [1, 2]}, "z": None})
        self.c.call("set", 2, key="n")

    def test_get(self):
        c = self.c
        self.assertEqual(c.call("get", key="n"), {"id": c.id, "ok": True, "rev": 2, "value": 2, "text": b"2"})
        self.assertEqual(c.value("get", key="n", at=1), 1)
        self.assertEqual(c.value("get", key="m", path="/a/1"), 2)
        self.assertEqual(c.call("get")["text"], b'{"n":2,"m":{"a":[1,2]},"z":null}')
        self.assertEqual(c.value("get", at=0), {})
        self.assertEqual(c.value("get", 7, key="absent"), 7)
        self.assertEqual(c.value("get", 7, key="m", path="/b"), 7)
        self.refused("not_found", "absent", c, "get", key="absent")
        self.refused("not_found", "m#/b", c, "get", key="m", path="/b")
        self.refused("type", "n#/b", c, "get", 7, key="n", path="/b")
        self.refused("invalid", "path", c, "get", key="n", path="b")
        self.refused("invalid", "key", c, "get", path="/b")
        self.refused("invalid", "key", c, "get", 7)
        self.refused("invalid", "at", c, "get", at=-1)
        self.refused("invalid", "newest is 2", c, "get", at=3)

    def test_lists(self):
        c = self.c
        self.assertEqual(c.value("keys"), ["n", "m", "z"])
        self.assertEqual(c.value("values"), [2, {"a": [1, 2]}, None])
        self.assertEqual(c.value("items", at=1), [["n", 1], ["m", {"a": [1, 2]}], ["z", None]])
        self.assertEqual(c.value("len"), 3)
        self.assertEqual(c.value("len", at=0), 0)
        self.assertIs(c.value("has", key="z"), True)
        self.assertIs(c.value("has", key="q"), False)
        self.assertIs(c.value("has", key="z", at=0), False)
        self.assertIs(c.value("has", key="m", path="/a/2"), False)

    def test_pages(self):
        c = self.c
        self.assertEqual(c.value("namespaces"), ["default"])
        c.call("set", 1, key="a", ns="b")
        c.call("set", 1, key="a", ns="a")
        c.call("clear", ns="a")
        self.assertEqual(c.value("namespaces"), ["b", "default"])
        self.assertEqual(c.value("keys", page=1), ["m", "z"])
        self.assertEqual(c.value("get", page=2), {"z": None})
        self.assertEqual(c.value("items", page=3), [])
        self.assertNotIn("next", c.call("values", page=0))
        self.refused("invalid", "page", c, "get", key="n", page=0)
        self.refused("invalid", "page", c, "keys", page=-1)
        for i in range(9):
            c.call("set", "x" * (1 << 20), key="big%d" % i, ns="big")
        first = c.call("get", ns="big", page=0)
        self.assertEqual((len(first["value"]), first["next"]), (3, 3))
        c.call("clear", ns="big")
        got, page = dict(first["value"]), first
        while "next" in page:
            page = c.call("get", ns="big", page=page["next"], at=first["rev"])
            self.assertEqual(page["rev"], first["rev"])
            got.update(page["value"])
        self.assertEqual(list(got), ["big%d" % i for i in range(9)])
        c.call("update", {"k%d" % i: "x" * (4 << 20) for i in range(3)}, ns="big")
        c.call("update", {"l%d" % i: "x" * (4 << 20) for i in range(3)}, ns="big")
        self.refused("too_large", "16 MiB", c, "get", ns="big")
        self.assertEqual(c.call("get", ns="big", page=0)["next"], 1)

    def test_pages_of_snapshots(self):
        """A lock and a watch give the first page; the rest is read at their revision."""
        c, w = self.c, self.client()
        for i in range(9):
            c.call("set", "x" * (1 << 20), key="big%d" % i, ns="big")
        w.send("watch", ns="big", want="snapshot", page=0, live=True)
        w.call("ping")
        locked = None
        for name, first in (("watch", None), ("lock", None)):
            if name == "lock":
                first = locked = c.call("lock", ns="big", page=0)
            else:
                c.call("set", 1, key="n", ns="big")
                first = w.receive()
            got, page = dict(first["value"]), first
            self.assertEqual(page["next"], 3, name)
            while "next" in page:
                page = c.call("get", ns="big", page=page["next"], at=first["rev"])
                got.update(page["value"])
            self.assertEqual(list(got), ["big%d" % i for i in range(9)] + ["n"], name)
        token = locked["token"]
        self.refused("not_found", "'no'", c, "commit", {}, ns="big", merge=True, keys=["no"], token=token)
        self.refused("invalid", "'keys'", c, "commit", {}, ns="big", keys=["n"], token=token)
        c.call("commit", {"n": 2, "m": 3}, ns="big", merge=True, keys=["big0", "big1"], token=token)
        self.assertEqual(c.value("keys", ns="big"), ["big%d" % i for i in range(2, 9)] + ["n", "m"])
        self.assertEqual(c.value("get", ns="big", key="n"), 2)
        for op in ("lock", "watch"):
            self.refused("invalid", "'page' must be 0", c, op, ns="big", page=1, **({"want": "snapshot"} if op == "watch" else {}))
        self.refused("invalid", "snapshot", c, "watch", ns="big", page=0)

    def test_eval(self):
        c = self.c
        self.assertEqual(c.value("eval", expr="n + size(m.a)"), 4)
        self.assertEqual(c.value("eval", {"by": [1]}, expr="n + by[0]"), 3)
        self.refused("invalid", "column", c, "eval", expr="n +")
        self.refused("not_found", "q", c, "eval", expr="q")
        self.refused("type", "", c, "eval", expr="n / 0")
        self.refused("too_large", "", c, "eval", expr="[0,1,2,3,4,5,6,7,8,9]" + "".join(
            ".map(x, [0,1,2,3,4,5,6,7,8,9].map(y, [0,1,2,3,4,5,6,7,8,9].map(z, y)))" for _ in range(200)))

    def test_reads_make_no_namespace(self):
        for i in range(100):
            self.assertEqual(self.c.value("len", ns="n%d" % i), 0)
            self.assertEqual(self.c.value("get", ns="n%d" % i), {})
        self.assertEqual(self.c.stats()["namespaces"], 1)

    def test_small_ones(self):
        c = self.c
        hello = c.call("hello")
        self.assertEqual((hello["pid"], hello["protocol_min"], hello["durability"]),
                         (self.server.process.pid, 1, "none"))
        self.assertRegex(hello["store"], "^[0-9a-f]{32}$")
        self.assertEqual(c.call("ping")["value"], None)
        pong = c.call("ping", {"x": "ä\u0000"})
        self.assertEqual((pong["pid"], pong["value"]), (self.server.process.pid, {"x": "ä\u0000"}))
        stats = c.stats()
        self.assertEqual((stats["revision"], stats["keys"], stats["waits"]), (2, 3, 0))


class Writes(Case):
    def test_all(self):
        c = self.client()
        for rev, (op, fields, value, answer, after) in enumerate([
                ("set", {"key": "a"}, 1, None, {"a": 1}),
                ("set", {"key": "l"}, [], None, {"a": 1, "l": []}),
                ("set", {"key": "l", "path": "/-"}, 5, None, {"a": 1, "l": [5]}),
                ("del", {"key": "l", "path": "/0"}, ..., None, {"a": 1, "l": []}),
                ("append", {"key": "l"}, 6, [6], {"a": 1, "l": [6]}),
                ("extend", {"key": "l"}, [7, 6], [6, 7, 6], {"a": 1, "l": [6, 7, 6]}),
                ("remove", {"key": "l"}, 6, [7, 6], {"a": 1, "l": [7, 6]}),
                ("patch", {}, [{"op": "move", "from": "/l/0", "path": "/m"}], None, {"a": 1, "l": [6], "m": 7}),
                ("patch", {"merge": True}, {"m": None}, None, {"a": 1, "l": [6]}),
                ("atomic", {"assign": "a = a + by; l[0] = 6"}, {"by": 0}, {"a": 1, "l#/0": 6}, {"a": 1, "l": [6]}),
                ("incr", {"key": "a"}, ..., 2, {"a": 2, "l": [6]}),
                ("incr", {"key": "a"}, 0.5, 2.5, {"a": 2.5, "l": [6]}),
                ("incr", {"key": "l", "path": "/0"}, -6, 0, {"a": 2.5, "l": [0]}),
                ("setdefault", {"key": "a"}, 9, 2.5, {"a": 2.5, "l": [0]}),
                ("setdefault", {"key": "b"}, 9, 9, {"a": 2.5, "l": [0], "b": 9}),
                ("cas", {"key": "b"}, [9, 10], 10, {"a": 2.5, "l": [0], "b": 10}),
                ("cas", {"key": "b", "at": 16}, 11, 11, {"a": 2.5, "l": [0], "b": 11}),
                ("cas", {"key": "c", "absent": True}, 1, 1, {"a": 2.5, "l": [0], "b": 11, "c": 1}),
                ("pop", {"key": "l"}, ..., [0], {"a": 2.5, "b": 11, "c": 1}),
                ("pop", {"key": "l"}, 7, 7, {"a": 2.5, "b": 11, "c": 1}),
                ("popitem", {}, ..., ["c", 1], {"a": 2.5, "b": 11}),
                ("update", {}, {"c": 1, "a": 0}, None, {"a": 0, "b": 11, "c": 1}),
                ("del", {"keys": ["b", "c"]}, ..., None, {"a": 0}),
                ("replace", {}, {"y": 1, "x": 2}, None, {"y": 1, "x": 2}),
                ("clear", {}, ..., None, {})], start=1):
            with self.subTest(op=op, rev=rev):
                got = c.call(op, value, **fields)
                self.assertEqual((got["rev"], got["value"]), (rev, answer))
                self.assertEqual(c.call("get")["text"].decode(), json.dumps(after, separators=(",", ":")))

    def test_refusals(self):
        c = self.client()
        c.call("update", {"n": 9223372036854775807, "s": "x", "l": []})
        for code, part, op, fields, value in [
                ("not_found", "'q'", "del", {"key": "q"}, ...),
                ("not_found", "'q'", "del", {"keys": ["s", "q"]}, ...),
                ("not_found", "'s'", "del", {"keys": ["s", "s"]}, ...),
                ("invalid", "", "del", {}, ...),
                ("invalid", "", "del", {"key": "s", "keys": ["n"]}, ...),
                ("invalid", "", "del", {"keys": []}, ...),
                ("invalid", "path", "del", {"keys": ["s"], "path": "/a"}, ...),
                ("type", "'s#/a'", "set", {"key": "s", "path": "/a"}, 1),
                ("not_found", "'l#/3'", "set", {"key": "l", "path": "/3"}, 1),
                ("not_found", "", "pop", {"key": "q"}, ...),
                ("type", "'n'", "incr", {"key": "n"}, ...),
                ("type", "'s'", "incr", {"key": "s"}, 1),
                ("type", "'s'", "append", {"key": "s"}, 1),
                ("not_found", "'q'", "atomic", {"assign": "a = q"}, ...),
                ("invalid", "no assignment", "atomic", {"assign": "q"}, ...),
                ("invalid", "assign", "atomic", {}, ...),
                ("invalid", "named values", "atomic", {"assign": "a = 1"}, []),
                ("invalid", "named values", "eval", {"expr": "1"}, []),
                ("type", "'l'", "extend", {"key": "l"}, 1),
                ("not_found", "'l'", "remove", {"key": "l"}, 1),
                ("invalid", "operation 0", "patch", {}, [1]),
                ("conflict", "'/s'", "patch", {}, [{"op": "test", "path": "/s", "value": 1}]),
                ("type", "object", "patch", {"merge": True}, 1),
                ("type", "object", "update", {}, [1]),
                ("type", "object", "replace", {}, 1),
                ("conflict", "'s'", "cas", {"key": "s"}, ["y", 1]),
                ("conflict", "'q'", "cas", {"key": "q"}, [None, 1]),
                ("conflict", "'s'", "cas", {"key": "s", "absent": True}, 1),
                ("conflict", "revision 7", "cas", {"key": "s", "at": 7}, 1),
                ("invalid", "OLD", "cas", {"key": "s"}, 1),
                ("invalid", "", "cas", {"key": "s", "at": 7, "absent": True}, 1),
                ("invalid", "empty", "set", {"key": ""}, 1),
                ("invalid", "empty", "update", {}, {"": 1}),
                ("too_large", "", "set", {"key": "k" * 65537}, 1),
                ("too_large", "64 KiB", "update", {}, {"k" * 65537: 1}),
                ("too_large", "", "get", {"key": "k" * 65537}, ...),
                ("invalid", "value", "set", {"key": "a"}, b"{"),
                ("too_large", "value", "set", {"key": "a"}, b"9223372036854775808"),
                ("invalid", "value", "set", {"key": "a"}, b'"\xff"'),
                ("invalid", "value", "set", {"key": "a"}, b"[" * 600 + b"]" * 600),
                ("invalid", "value frame", "set", {"key": "a"}, ...),
                ("invalid", "value frame", "clear", {}, 1),
                ("invalid", "ns", "set", {"key": "a", "ns": ""}, 1),
                ("invalid", "ns", "set", {"key": "a", "ns": "a\nb"}, 1),
                ("invalid", "ns", "set", {"key": "a", "ns": "n" * 256}, 1),
                ("denied", "zproc", "set", {"key": "a", "ns": "zproc"}, 1),
                ("denied", "zproc.x", "set", {"key": "a", "ns": "zproc.x", "token": "0" * 32}, 1),
                ("unsupported", "nonsense", "nonsense", {}, ...)]:
            with self.subTest(op=op, fields=fields):
                self.refused(code, part, c, op, value, **fields)
        self.assertEqual(c.stats()["revision"], 1)
        self.assertEqual(c.value("get"), {"n": 9223372036854775807, "s": "x", "l": []})
        self.refused("not_found", "no keys", c, "popitem", ns="empty")
        # A key of 64 KiB fits.
        c.call("set", 1, key="k" * 65536)
        self.assertEqual(c.value("get", key="k" * 65536), 1)

    def test_text_is_kept(self):
        c = self.client()
        for text in (b"1.10", b"-0", b"1e2", b'"\\u0000"', '"ü€😀"'.encode(), b'{"b":1,"a":2}', b"0.1"):
            c.call("set", text, key="k")
            self.assertEqual(c.call("get", key="k")["text"], text)

    def test_namespaces(self):
        c = self.client()
        c.call("set", 1, key="a")
        c.call("set", 2, key="a", ns="böse/… ")
        self.assertEqual(c.value("get", key="a", ns="böse/… "), 2)
        self.assertEqual(c.value("get", key="a", ns="default"), 1)


class Limits(Case):
    arguments = ("--state-limit", "100000", "--log-limit", "20000")

    def test_too_large(self):
        c = self.client()
        c.call("set", "x" * 60000, key="a")
        self.refused("too_large", "limit", c, "set", "x" * 60000, key="b")
        self.assertEqual(c.value("keys"), ["a"])
        c.call("set", "y" * 60000, key="a")
        self.assertEqual(c.stats()["revision"], 2)

    def test_lost(self):
        c = self.client()
        for i in range(200):
            c.call("set", i, key="a")
        oldest = c.stats()["oldest"]
        self.assertEqual(self.refused("lost", "revision 3", c, "get", key="a", at=3).missed, oldest - 4)
        self.assertEqual(self.refused("lost", "begin again", c, "items", page=0, at=4).missed, oldest - 5)
        self.assertEqual(c.value("get", key="a", at=oldest - 1), oldest - 2)
        self.assertEqual(self.refused("lost", "%d revisions" % (oldest - 4), c, "watch", after=3).missed, oldest - 4)


class Answers(Case):
    def test_too_large(self):
        """An answer beyond a frame is an error, for reads and for watches."""
        c, w = self.client(), self.client()
        w.send("watch", live=True, want="snapshot")
        w.send("watch", live=True, want="value", keys=["a"])
        w.call("ping")
        for key in "ab":
            c.call("set", "x" * 9000000, key=key)
        w.receive_any()
        self.assertEqual(len(w.receive()["value"]), 9000000)
        self.refused("too_large", "16 MiB", c, "get")
        self.refused("too_large", "16 MiB", w, "watch", after=1, want="snapshot")
        self.assertEqual(len(c.value("get", key="b")), 9000000)

    def test_pipelining(self):
        """Answers come in order, also when they are many and large."""
        c = self.client(sndhwm=0, rcvhwm=0)
        c.call("set", "x" * 1000000, key="a")
        ids = [c.send("get", key="a") for _ in range(300)]
        for id in ids:
            self.assertEqual(len(c.receive(id)["text"]), 1000002)

    def test_req(self):
        c = self.client(zmq.REQ)
        for i in range(100):
            self.assertEqual(c.call("set", i, key="a")["rev"], i + 1)
        self.refused("not_found", "", c, "get", key="b")
        self.assertEqual(c.value("get", key="a"), 99)


class Table(Case):
    def test_every_op_is_tested(self):
        """What ops.def lists, these tests use; and the server knows it."""
        with open(os.environ["ZPROC_OPS"]) as file:
            names = re.findall(r"^OP\((\w+),", file.read(), re.M)
        self.assertGreater(len(names), 30)
        used = ""
        folder = os.path.dirname(os.path.abspath(__file__))
        for name in os.listdir(folder):
            if name.endswith(".py"):
                with open(os.path.join(folder, name)) as file:
                    used += file.read()
        c = self.client()
        for name in names:
            self.assertTrue(re.search(r'\("%s"|"%s",' % (name, name), used), name)
            c.send(name, key=1)
            header, _ = c.receive_any()
            self.assertEqual((header["ok"], header["error"]), (False, "invalid"), name)


if __name__ == "__main__":
    main()
