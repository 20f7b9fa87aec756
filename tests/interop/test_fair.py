"""No client holds the others up, starves them, or makes the server grow: whatever it asks for."""
import time

from peer import Case, Client, Refused, main, until

HEAVY = "range.all(x, range.all(y, x + y >= 0)) && go > 0"  # some 25,000 steps
RANGE = list(range(90))


class Work(Case):
    """What one request may take of the processor, so that the answers to others wait for a moment only."""

    BOUND = 1.5  # seconds of a slow machine; without bounds these take minutes

    def costs(self, client, op, value=..., **fields):
        """The answer, or the code of the refusal."""
        before = self.server.cpu()
        try:
            result = client.call(op, value, **fields)
        except Refused as refused:
            result = refused.code
        self.assertLess(self.server.cpu() - before, self.BOUND, (op, fields))
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


main()
