"""Transactions: conditions, waiting, order of arrival, copies of requests, queues with many workers."""
import os
import threading
import time

from peer import Case, Refused, main, until, zmq

ITEMS = int(os.environ.get("ZPROC_TEST_ITEMS", 10000))
WORKERS = 32


class Transactions(Case):
    def test_conditions(self):
        c = self.client()
        c.call("update", {"n": 5, "l": []})
        got = c.call("txn", **{"if": ["n >= 5", "size(l) == 0"], "then": "n = n - 5"})
        self.assertEqual((got["rev"], got["held"], got["value"]), (2, True, 0))
        self.refused("conflict", "do not hold", c, "txn", **{"if": ["n >= 5"], "then": "n = n - 5"})
        self.refused("conflict", "do not hold", c, "txn", **{"if": ["missing > 5"], "then": "n = 7"})
        got = c.call("txn", {"by": 3}, **{"if": ["n >= by"], "then": "n = n - by", "else": "l = l + [by]"})
        self.assertEqual((got["rev"], got["held"], got["value"]), (3, False, [3]))
        got = c.call("txn", then="n = 9; l = []")
        self.assertEqual((got["rev"], got["held"], got["value"]), (4, True, {"n": 9, "l": []}))
        got = c.call("txn", **{"if": ["n == 9"]})
        self.assertEqual((got["rev"], got["held"], got["value"]), (5, True, None))
        self.assertEqual(c.value("get"), {"n": 9, "l": []})

    def test_refusals(self):
        c = self.client()
        c.call("set", 1, key="n")
        for code, part, fields, value in [
                ("invalid", "condition 2", {"if": ["n == 1", "n +"]}, ...),
                ("invalid", "'changed'", {"if": ["'n' in changed"]}, ...),
                ("invalid", "list of strings", {"if": [1]}, ...),
                ("too_large", "64", {"if": ["true"] * 65}, ...),
                ("invalid", "then", {"then": "n"}, ...),
                ("invalid", "else", {"else": "n"}, ...),
                ("invalid", "not both", {"else": "n = 1", "wait": True}, ...),
                ("invalid", "named values", {"then": "n = 1"}, []),
                ("not_found", "assignment 2", {"then": "n = 2; n = missing"}, ...),
                ("denied", "zproc", {"then": "n = 1", "ns": "zproc"}, ...)]:
            with self.subTest(fields=fields):
                self.refused(code, part, c, "txn", value, **fields)
        self.assertEqual(c.stats()["revision"], 1)

    def test_wait(self):
        c, w = self.client(), self.client()
        id = w.send("txn", **{"if": ["n > 1"], "then": "n = n - 2", "wait": True})
        until(lambda: c.stats()["waits"] == 1)
        c.call("set", 1, key="n")
        c.call("set", "x", key="n")
        c.call("set", 9, key="other")
        self.assertTrue(w.silent())
        c.call("set", 3, key="n")
        got = w.receive(id)
        self.assertEqual((got["rev"], got["held"], got["value"]), (5, True, 1))
        self.assertEqual(c.stats()["waits"], 0)
        self.refused("timeout", "in time", w, "txn", **{"if": ["n > 1"], "wait": True, "timeout_ms": 20})
        self.refused("timeout", "do not hold", w, "txn", **{"if": ["n > 1"], "wait": True, "timeout_ms": 0})
        self.assertEqual(w.call("txn", **{"if": ["n == 1"], "wait": True, "timeout_ms": 0})["held"], True)

    def test_wait_fails(self):
        """What cannot be done when the time has come is an error, and changes nothing."""
        c, w = self.client(), self.client()
        id = w.send("txn", **{"if": ["n > 0"], "then": "m = 1; n = n.x", "wait": True})
        until(lambda: c.stats()["waits"] == 1)
        c.call("set", 1, key="n")
        with self.assertRaises(Refused) as caught:
            w.receive(id)
        self.assertEqual(caught.exception.code, "type")
        self.assertEqual(c.value("get"), {"n": 1})

    def test_order(self):
        """Who came first is served first; one that is served may let others go on."""
        c = self.client()
        c.call("update", {"free": 0, "order": []})
        waiting = []
        for i in range(20):
            w = self.client()
            w.send("txn", {"me": i}, **{"if": ["free > 0"], "then": "free = free - 1; order = order + [me]", "wait": True})
            until(lambda: c.stats()["waits"] == i + 1)
            waiting.append(w)
        c.call("set", 7, key="free")
        self.assertEqual(c.value("get"), {"free": 0, "order": list(range(7))})
        c.call("set", 13, key="free")
        self.assertEqual(c.value("get"), {"free": 0, "order": list(range(20))})
        for w in waiting:
            self.assertTrue(w.receive()["held"])

    def test_chain(self):
        """Each transaction makes the condition of the one that came before it true."""
        c = self.client()
        c.call("set", 0, key="n")
        waiting = []
        for i in range(50, 0, -1):
            w = self.client()
            w.send("txn", {"i": i}, **{"if": ["n == i"], "then": "n = n + 1", "wait": True})
            waiting.append(w)
        until(lambda: c.stats()["waits"] == 50)
        c.call("set", 1, key="n")
        until(lambda: c.value("get", key="n") == 51)
        for w in waiting:
            w.receive()

    def test_whole_state(self):
        c, w = self.client(), self.client()
        w.send("txn", **{"if": ["size(state) == 2"], "wait": True})
        until(lambda: c.stats()["waits"] == 1)
        c.call("set", 1, key="a")
        c.call("set", 1, key="b")
        self.assertEqual(w.receive()["rev"], 3)

    def test_gone(self):
        """A connection that ends takes its waiting transactions along."""
        c, w = self.client(), self.client()
        w.send("txn", **{"if": ["n > 0"], "then": "n = n - 1", "wait": True})
        until(lambda: c.stats()["waits"] == 1)
        w.close()
        until(lambda: c.stats()["waits"] == 0)
        c.call("set", 1, key="n")
        self.assertEqual(c.value("get", key="n"), 1)

    def test_cancel(self):
        c = self.client()
        id = c.send("txn", **{"if": ["n > 0"], "wait": True})
        c.call("cancel", call=id)
        self.assertEqual(c.stats()["waits"], 0)

    def test_copy(self):
        """A numbered request that is sent again is done once: its copy takes its place, or gets its answer."""
        c, first, second = self.client(), self.client(), self.client()
        fields = {"if": ["n > 0"], "then": "n = n - 1", "wait": True, "client": "a" * 32, "seq": 1}
        first.send("txn", **fields)
        until(lambda: c.stats()["waits"] == 1)
        second.send("txn", **fields)
        until(lambda: c.stats()["requests"] >= 4)
        self.assertEqual(c.stats()["waits"], 1)
        c.call("set", 5, key="n")
        got = second.receive()
        self.assertEqual((got["rev"], got["value"]), (2, 4))
        got = second.call("txn", **fields)
        self.assertEqual((got["rev"], got["value"]), (2, 4))
        self.assertEqual(c.value("get", key="n"), 4)
        self.assertTrue(first.silent())


class Ephemeral(Case):
    def setUp(self):
        super().setUp()
        self.c = self.client()
        self.c.call("session_open", session="s")
        self.c.call("session_open", session="t")

    def test_close(self):
        c = self.c
        c.call("set", 1, key="a", session="s", ephemeral=True)
        c.call("set", 2, key="b", session="s", ephemeral=True)
        c.call("set", 3, key="c", session="s", ephemeral=True, ns="other")
        c.call("set", 4, key="d", session="t", ephemeral=True)
        c.call("set", 5, key="e", session="s")
        w = self.client()
        w.send("watch", keys=["a"])
        until(lambda: c.stats()["waits"] == 1)
        before = c.stats()["revision"]
        c.call("session_close", session="s")
        self.assertEqual(c.value("get"), {"d": 4, "e": 5})
        self.assertEqual(c.value("get", ns="other"), {})
        self.assertEqual(c.stats()["revision"], before + 2)
        self.assertEqual({x["key"] for x in w.receive()["value"]["changes"]}, {"a", "b"})

    def test_what_keeps_it(self):
        c = self.c
        for key in "abcdef":
            c.call("set", 1, key=key, session="s", ephemeral=True)
        c.call("set", 2, key="a")                                   # stays
        c.call("incr", key="b")                                     # still goes
        c.call("del", key="c"), c.call("update", {"c": 3})          # stays
        c.call("set", 2, key="d", session="t", ephemeral=True)      # goes with t
        c.call("replace", {**c.value("get"), "g": 1})               # e still goes
        c.call("atomic", assign="f = {'x': f}")
        c.call("set", 5, key="f", path="/x")                        # still goes
        c.call("session_close", session="s")
        self.assertEqual(c.value("get"), {"a": 2, "c": 3, "d": 2, "g": 1})
        c.call("session_close", session="t")
        self.assertEqual(c.value("get"), {"a": 2, "c": 3, "g": 1})

    def test_txn(self):
        c, w = self.c, self.client()
        lead = {"if": ["!has(state.leader)"], "then": "leader = me", "wait": True, "ephemeral": True}
        c.call("txn", {"me": "s"}, session="s", **lead)
        id = w.send("txn", {"me": "t"}, session="t", **lead)
        until(lambda: c.stats()["waits"] == 1)
        self.assertEqual(c.value("get", key="leader"), "s")
        c.call("session_close", session="s")
        self.assertTrue(w.receive(id)["held"])
        self.assertEqual(c.value("get", key="leader"), "t")
        c.call("session_close", session="t")
        self.assertEqual(c.value("get"), {})

    def test_lost_while_waiting(self):
        c, w = self.c, self.client()
        id = w.send("txn", session="s", ephemeral=True, wait=True, **{"if": ["n > 0"], "then": "m = 1"})
        until(lambda: c.stats()["waits"] == 1)
        c.call("session_close", session="s")
        c.call("set", 1, key="n")
        with self.assertRaises(Refused) as caught:
            w.receive(id)
        self.assertEqual(caught.exception.code, "lost")
        self.assertEqual(c.value("get"), {"n": 1})

    def test_locked(self):
        """A lock's holder does not bring them back: they go when it has unlocked."""
        c, w = self.c, self.client()
        c.call("set", 1, key="a", session="s", ephemeral=True)
        lock = w.call("lock")
        c.call("session_close", session="s")
        self.assertEqual(c.value("get"), {"a": 1})
        w.call("commit", {**lock["value"], "b": 2}, token=lock["token"])
        self.assertEqual(c.value("get"), {"b": 2})

    def test_refusals(self):
        self.refused("invalid", "session", self.c, "set", 1, key="a", ephemeral=True)
        self.refused("lost", "'x'", self.c, "set", 1, key="a", ephemeral=True, session="x")
        self.refused("invalid", "session", self.c, "txn", then="a = 1", ephemeral=True)
        self.refused("invalid", "ephemeral", self.c, "incr", key="a", ephemeral=True, session="s")


class Queue(Case):
    def test_each_item_once(self):
        """Many workers take items from a queue: each item goes to exactly one of them."""
        c = self.client()
        c.call("update", {"jobs": [], "next": 0, "done": False})
        workers = [self.client() for _ in range(WORKERS)]
        take = {"if": ["next < size(jobs) || done"], "wait": True,
                "then": "next = next + 1"}
        poller, taken = zmq.Poller(), {}
        for w in workers:
            poller.register(w.socket, zmq.POLLIN)
            w.send("txn", **take)
        by_socket = {w.socket: w for w in workers}

        def produce():
            producer = self.client()
            for i in range(0, ITEMS, 25):
                producer.call("extend", list(range(i, min(i + 25, ITEMS))), key="jobs")

        thread = threading.Thread(target=produce)
        thread.start()
        end = time.monotonic() + 120
        while len(taken) < ITEMS and time.monotonic() < end:
            for socket, _ in poller.poll(1000):
                w = by_socket[socket]
                item = w.receive()["value"] - 1
                self.assertNotIn(item, taken)
                taken[item] = w
                w.send("txn", **take)
        thread.join()
        self.assertEqual(sorted(taken), list(range(ITEMS)))
        self.assertEqual(c.value("get", key="next"), ITEMS)
        self.assertEqual(len(set(map(id, taken.values()))), WORKERS)
        c.call("set", True, key="done")
        for w in workers:
            self.assertTrue(w.receive()["held"])


if __name__ == "__main__":
    main()
