"""Numbered requests: one that is sent again, over the same connection or another one, is done once."""
import shutil
import tempfile

from peer import Case, Client, Server, main

ANNE, BOB = "a" * 32, "b" * 32


class Resend(Case):
    def test_done_once(self):
        first, second = self.client(), self.client()
        fields = {"key": "count", "client": ANNE, "seq": 1, "done": 1}
        got = first.call("incr", **fields)
        self.assertEqual((got["rev"], got["value"]), (1, 1))
        for client in (first, second):
            again = client.call("incr", **fields)
            self.assertEqual(again, {**got, "id": client.id})
        first.close()
        self.clients.remove(first)
        third = self.client()
        third.id = 1000
        self.assertEqual(third.call("incr", **fields), {**got, "id": 1001})
        self.assertEqual(second.value("get", key="count"), 1)
        self.assertEqual(second.stats()["revision"], 1)

    def test_other_clients_and_numbers(self):
        c = self.client()
        self.assertEqual(c.value("incr", key="n", client=ANNE, seq=1), 1)
        self.assertEqual(c.value("incr", key="n", client=BOB, seq=1), 2)
        self.assertEqual(c.value("incr", key="n", client=ANNE, seq=5), 3)
        self.refused("conflict", "request 3", c, "incr", key="n", client=ANNE, seq=3)
        self.assertEqual(c.value("incr", key="n"), 4)

    def test_done(self):
        c = self.client()
        for seq in (1, 2, 3):
            self.assertEqual(c.value("incr", key="n", client=ANNE, seq=seq), seq)
        self.assertEqual(c.value("incr", key="n", client=ANNE, seq=4, done=3), 4)
        self.refused("conflict", "request 2", c, "incr", key="n", client=ANNE, seq=2)
        self.assertEqual(c.value("incr", key="n", client=ANNE, seq=3), 3)
        # It cannot wait for less than the request that it sends.
        self.assertEqual(c.value("incr", key="n", client=ANNE, seq=5, done=99), 5)
        self.assertEqual(c.value("incr", key="n", client=ANNE, seq=5), 5)

    def test_failures_are_answers_too(self):
        c = self.client()
        for _ in range(2):
            self.refused("not_found", "'k'", c, "pop", key="k", client=ANNE, seq=1)
            c.call("set", 1, key="k")
        self.assertEqual(c.value("pop", key="k", client=ANNE, seq=2), 1)

    def test_answers_without_and_with_large_values(self):
        c = self.client()
        text = "x" * (4 << 20)
        c.call("set", text, key="k", client=ANNE, seq=1)
        self.assertIsNone(c.call("set", text, key="k", client=ANNE, seq=1)["value"])
        for _ in range(2):
            self.assertEqual(c.value("pop", key="k", client=ANNE, seq=2), text)

    def test_fields(self):
        c = self.client()
        self.refused("invalid", "seq", c, "get", client=ANNE, seq=1)
        self.refused("invalid", "'done'", c, "clear", done=1)
        self.refused("invalid", "go together", c, "clear", seq=1)

    def test_what_is_kept_is_bounded(self):
        c = self.client()
        c.call("set", "x" * (1 << 20), key="k")
        for i in range(100):
            c.call("setdefault", 1, key="k", client="%032x" % i, seq=1)
        for i in range(36):
            self.refused("conflict", "request 1", c, "setdefault", 1, key="k", client="%032x" % i, seq=1)
        c.call("setdefault", 1, key="k", client="%032x" % 99, seq=1)

    def test_after_the_server_was_killed(self):
        folder = tempfile.mkdtemp(prefix="zproc-test-")
        self.addCleanup(shutil.rmtree, folder)
        fields = {"key": "count", "client": ANNE, "seq": 1, "done": 1}
        got = None
        for _ in range(2):
            server = Server("--persist", folder)
            client = Client(server.address)
            again = client.call("incr", **fields)
            self.assertIn(got, (None, again))
            got = again
            self.assertEqual(client.value("get", key="count"), 1)
            client.close()
            server.process.kill()
            server.wait()


if __name__ == "__main__":
    main()
