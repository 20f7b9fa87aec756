"""Locks: the snapshot for one client, everybody else's writes in order of arrival, leases and tokens."""
import time

from peer import Case, Refused, main, until

ANNE = "a" * 32


class Lock(Case):
    def setUp(self):
        super().setUp()
        self.holder, self.other, self.eye = self.client(), self.client(), self.client()

    def parked(self, count):
        until(lambda: self.eye.stats()["parked"] == count, "%d waiting requests" % count)

    def lost(self, client, token):
        for op, value in (("renew", ...), ("commit", {"lost": 1}), ("abort", ...)):
            self.refused("conflict", "'default' is lost", client, op, value, token=token)

    def test_commit(self):
        holder, other = self.holder, self.other
        holder.call("update", {"a": 1, "b": 2})
        got = holder.call("lock")
        self.assertEqual((got["value"], got["rev"], got["lease_ms"]), ({"a": 1, "b": 2}, 1, 5000))
        self.assertRegex(got["token"], "^[0-9a-f]{32}$")
        waiting = other.send("set", 5, key="c")
        self.parked(1)
        self.assertEqual(self.eye.value("get"), {"a": 1, "b": 2})
        self.assertEqual(self.eye.call("set", 1, key="a", ns="elsewhere")["rev"], 2)
        self.assertEqual(holder.call("commit", {"a": 2}, token=got["token"])["rev"], 3)
        self.assertEqual(other.receive(waiting)["rev"], 4)
        self.assertEqual(self.eye.value("get"), {"a": 2, "c": 5})
        self.lost(holder, got["token"])
        self.assertEqual(self.eye.stats()["locks"], 0)

    def test_circle(self):
        """Each holds what the other waits for: the second one is told, whether it holds the lock itself or runs
        inside of it; the first one goes on when the second has given up."""
        a, b = self.holder, self.other
        tokens = a.call("lock", ns="one")["token"], b.call("lock", ns="two")["token"]
        waiting = a.send("lock", ns="two")
        self.parked(1)
        for op, value in (("lock", ...), ("set", 1)):
            fields = {"key": "k"} if op == "set" else {}
            self.refused("locked", "same order", b, op, value, ns="one", **fields)
            self.refused("locked", "'two'", self.eye, op, value, ns="one", token=tokens[1], **fields)
        free = self.eye.send("lock", ns="one")  # has no part in it
        self.parked(2)
        b.call("abort", ns="two", token=tokens[1])
        got = a.receive(waiting)
        a.call("abort", ns="two", token=got["token"])
        a.call("abort", ns="one", token=tokens[0])
        self.eye.receive(free)

    def test_long_circle(self):
        clients = [self.client() for _ in range(5)]
        for i, client in enumerate(clients):
            client.call("lock", ns="n%d" % i)
        for i, client in enumerate(clients[:-1]):
            client.send("lock", ns="n%d" % (i + 1))
            self.parked(i + 1)
        self.refused("locked", "'n4'", clients[-1], "lock", ns="n0")
        # No circle: only the lease, or the holder, ends it.
        self.refused("timeout", "free in time", self.eye, "lock", ns="n0", timeout_ms=10)

    def test_abort(self):
        token = self.holder.call("lock", ns="new")["token"]
        waiting = self.other.send("incr", key="n", ns="new")
        self.parked(1)
        self.assertEqual(self.holder.call("abort", ns="new", token=token)["rev"], 0)
        self.assertEqual(self.other.receive(waiting)["rev"], 1)

    def test_order_of_arrival(self):
        holder, clients = self.holder, [self.client() for _ in range(5)]
        token = holder.call("lock")["token"]
        ids = []
        for i, client in enumerate(clients):
            ids.append(client.send("lock") if i in (1, 3) else client.send("append", i, key="list"))
            self.parked(i + 1)
        holder.call("abort", token=token)
        self.assertEqual(clients[0].receive(ids[0])["value"], [0])
        first = clients[1].receive(ids[1])
        self.assertEqual(first["value"], {"list": [0]})
        self.parked(3)
        # What comes now is behind all that waits.
        late = holder.send("append", "late", key="list")
        self.parked(4)
        clients[1].call("commit", {"list": ["new"]}, token=first["token"])
        self.assertEqual(clients[2].receive(ids[2])["value"], ["new", 2])
        second = clients[3].receive(ids[3])
        self.assertEqual(second["value"], {"list": ["new", 2]})
        clients[3].call("abort", token=second["token"])
        self.assertEqual(clients[4].receive(ids[4])["value"], ["new", 2, 4])
        self.assertEqual(holder.receive(late)["value"], ["new", 2, 4, "late"])

    def test_many_waiting_writes(self):
        token = self.holder.call("lock")["token"]
        clients = [self.client() for _ in range(3)]
        for client in clients:
            for _ in range(1000):
                client.send("incr", key="n")
        self.parked(3000)
        self.holder.call("abort", token=token)
        for client in clients:
            seen = [client.receive()["value"] for _ in range(1000)]
            self.assertEqual(seen, sorted(seen))
        self.assertEqual(self.eye.value("get", key="n"), 3000)

    def test_connection_ends(self):
        token = self.holder.call("lock")["token"]
        waiting = self.other.send("lock")
        self.parked(1)
        start = time.monotonic()
        self.holder.close()
        self.assertEqual(self.other.receive(waiting)["value"], {})
        self.assertLess(time.monotonic() - start, 4)
        self.lost(self.eye, token)

    def test_who_waits_goes_away(self):
        token = self.holder.call("lock")["token"]
        self.other.send("lock")
        self.other.send("set", 1, key="never")
        self.parked(2)
        self.other.close()
        self.parked(0)
        self.holder.call("commit", {}, token=token)
        self.assertEqual(self.eye.value("get"), {})
        self.assertEqual(self.eye.stats()["locks"], 0)

    def test_lease(self):
        start = time.monotonic()
        token = self.holder.call("lock")["token"]
        waiting = self.other.send("set", 1, key="a")
        time.sleep(3)
        self.assertEqual(self.holder.call("renew", token=token)["lease_ms"], 5000)
        renewed = time.monotonic()
        self.assertTrue(self.other.silent(max(0.1, start + 6 - renewed)))
        self.other.receive(waiting)
        self.assertGreaterEqual(time.monotonic() - renewed, 4.9)
        self.lost(self.holder, token)
        self.assertEqual(self.eye.value("get"), {"a": 1})

    def test_inside(self):
        got = self.holder.call("lock")
        for tokens in (got["token"], "0" * 32 + " " + got["token"]):
            self.refused("locked", "'default'", self.other, "set", 1, key="a", token=tokens)
            self.refused("locked", "'default'", self.other, "lock", token=tokens)
        self.other.call("set", 1, key="a", ns="other", token=got["token"])
        self.assertEqual(self.other.value("get", token=got["token"]), {})
        self.holder.call("abort", token=got["token"])
        self.other.call("set", 1, key="a", token=got["token"])

    def test_timeouts(self):
        token = self.holder.call("lock", timeout_ms=0)["token"]
        self.refused("timeout", "not free", self.other, "lock", timeout_ms=0)
        self.refused("timeout", "locked", self.other, "set", 1, key="a", timeout_ms=20)
        self.other.send("lock")
        self.parked(1)
        self.other.call("cancel", call=self.other.id)
        self.parked(0)
        self.holder.call("commit", {"b": 1}, token=token)
        self.assertEqual(self.eye.value("get"), {"b": 1})

    def test_refused(self):
        self.refused("denied", "'zproc'", self.holder, "lock", ns="zproc")
        for op in ("renew", "abort"):
            self.refused("invalid", "'token'", self.holder, op)
        self.lost(self.holder, "0" * 32)
        token = self.holder.call("lock")["token"]
        self.lost(self.holder, "0" * 32)
        with self.assertRaises(Refused):
            self.holder.call("commit", [1], token=token)
        self.holder.call("commit", {"a": 1}, token=token)

    def test_namespace_larger_than_a_frame(self):
        for i in range(2):
            self.other.call("set", "x" * (9 << 20), key="k%d" % i)
        self.refused("too_large", "page", self.holder, "lock")
        self.other.call("clear")

    def test_waiting_bytes(self):
        token = self.holder.call("lock")["token"]
        text = "x" * (15 << 20)
        for i in range(4):
            self.other.send("set", text, key="k%d" % i)
        self.parked(4)
        self.refused("busy", "64 MiB", self.eye, "set", text, key="k")
        self.holder.call("abort", token=token)
        for _ in range(4):
            self.other.receive()
        self.eye.call("set", text, key="k")

    def test_resent_while_it_waits(self):
        token = self.holder.call("lock")["token"]
        third = self.client()
        fields = {"key": "n", "client": ANNE, "seq": 1, "done": 1}
        self.other.send("incr", **fields)
        self.parked(1)
        # A later one to another namespace is answered first, and does not make it an old one.
        self.assertEqual(self.eye.value("incr", key="n", ns="free", client=ANNE, seq=2, done=1), 1)
        third.send("incr", **fields)
        self.parked(2)
        self.other.close()
        self.parked(1)
        self.eye.send("incr", **fields)
        until(lambda: self.holder.stats()["parked"] == 2)
        self.holder.call("abort", token=token)
        got = [client.receive() for client in (third, self.eye)]
        self.assertEqual([(g["rev"], g["value"]) for g in got], [(2, 1), (2, 1)])
        self.assertEqual(self.eye.value("get", key="n"), 1)

    def test_commit_is_resent(self):
        token = self.holder.call("lock")["token"]
        fields = {"token": token, "client": ANNE, "seq": 1}
        got = self.holder.call("commit", {"a": 1}, **fields)
        self.other.call("set", 2, key="a")
        self.assertEqual(self.eye.call("commit", {"a": 1}, **fields)["rev"], got["rev"])
        self.assertEqual(self.eye.value("get"), {"a": 2})


if __name__ == "__main__":
    main()
