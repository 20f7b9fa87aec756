"""Claims on reserved namespaces, and services: serve, call, answer."""
import os
import subprocess

from peer import Case, Refused, main, until

ZPROC = os.path.join(os.path.dirname(os.environ["ZPROC_SERVER"]), "zproc")


class Claims(Case):
    def test_claim(self):
        owner, other = self.client(), self.client()
        token = owner.call("claim", ns="zproc")["token"]
        self.assertRegex(token, "^[0-9a-f]{32}$")
        self.refused("conflict", "zproc", other, "claim", ns="zproc")
        self.refused("invalid", "'mine'", other, "claim", ns="mine")
        self.refused("invalid", "'default'", other, "claim")
        self.assertEqual(owner.call("set", 1, key="a", ns="zproc", token=token)["rev"], 1)
        self.assertEqual(other.call("set", 2, key="a", ns="zproc", token=token)["rev"], 2)
        self.refused("denied", "zproc", other, "set", 3, key="a", ns="zproc")
        self.refused("denied", "zproc", other, "set", 3, key="a", ns="zproc", token="0" * 32)
        self.refused("denied", "zproc.b", other, "set", 3, key="a", ns="zproc.b", token=token)
        self.assertEqual(other.value("get", key="a", ns="zproc"), 2)
        owner.close()
        until(lambda: other.stats()["peers"] == 0)
        self.refused("denied", "zproc", other, "set", 3, key="a", ns="zproc", token=token)
        self.assertNotEqual(other.call("claim", ns="zproc")["token"], token)

    def test_too_many(self):
        c, other = self.client(), self.client()
        for i in range(1023):
            c.call("claim", ns="zproc.%d" % i)
        self.refused("timeout", "", c, "serve", service="s", timeout_ms=0)
        self.refused("busy", "1024", c, "claim", ns="zproc")
        self.refused("busy", "1024", c, "serve", service="t")
        other.call("claim", ns="zproc")


class Services(Case):
    def setUp(self):
        super().setUp()
        self.c, self.s = self.client(), self.client()

    def fails(self, code, client):
        with self.assertRaises(Refused) as caught:
            client.receive()
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message

    def test_call(self):
        c, s = self.c, self.s
        self.refused("not_found", "'web'", c, "call", service="web")
        s.send("serve", service="web")
        for payload in ({"a": 1}, None, ...):
            s.call("ping")
            c.send("call", payload, service="web")
            got = s.receive()
            self.assertEqual(got["value"], None if payload is ... else payload)
            s.call("answer", ["ok", payload is ...], call=got["call"])
            self.assertEqual(c.receive()["value"], ["ok", payload is ...])
            self.refused("not_found", str(got["call"]), s, "answer", 1, call=got["call"])
            s.send("serve", service="web")

    def test_errors(self):
        c, s = self.c, self.s
        for value, code, message in (({"error": "type", "message": "no such worker"}, "type", "no such worker"),
                                     ({"error": "nonsense"}, "internal", "the service failed without a reason"),
                                     (..., "internal", "the service failed without a reason"),
                                     ([1], "internal", "the service failed without a reason"),
                                     ({"error": 1, "message": 2}, "internal", "")):
            s.send("serve", service="web")
            s.call("ping")
            c.send("call", service="web")
            s.call("answer", value, call=s.receive()["call"], ok=False)
            self.assertEqual(self.fails(code, c), message)

    def test_queue(self):
        """Calls are handed out in order; answers go to whom they belong, in any order."""
        c, s = self.c, self.s
        self.refused("timeout", "", s, "serve", service="web", timeout_ms=0)
        callers = [self.client() for _ in range(5)]
        for i, caller in enumerate(callers):
            caller.send("call", i, service="web")
            caller.call("ping")
        calls = []
        for i in range(5):
            got = s.call("serve", service="web")
            self.assertEqual(got["value"], i)
            calls.append(got["call"])
        for i in (3, 0, 4, 1, 2):
            s.call("answer", i * 10, call=calls[i])
            self.assertEqual(callers[i].receive()["value"], i * 10)
        self.assertEqual(c.stats()["peers"], 1)

    def test_owner(self):
        c, s = self.c, self.s
        s.send("serve", service="web")
        s.call("ping")
        self.refused("conflict", "'web'", c, "serve", service="web")
        self.refused("conflict", "'web'", s, "serve", service="web")
        c.send("call", service="web")
        number = s.receive()["call"]
        self.refused("not_found", str(number), c, "answer", 1, call=number)
        s.call("answer", 1, call=number)
        c.receive()

    def test_timeouts_and_cancel(self):
        c, s = self.c, self.s
        self.refused("timeout", "", s, "serve", service="web", timeout_ms=10)
        self.refused("timeout", "", c, "call", service="web", timeout_ms=10)
        id = c.send("call", "dropped", service="web")
        c.call("cancel", call=id)
        c.send("call", "kept", service="web")
        got = s.call("serve", service="web")
        self.assertEqual(got["value"], "kept")
        c.call("cancel", call=c.id)
        self.refused("not_found", "", s, "answer", 1, call=got["call"])
        id = s.send("serve", service="web")
        s.call("cancel", call=id)
        s.send("serve", service="web")
        c.send("call", service="web")
        s.call("answer", 2, call=s.receive()["call"])
        self.assertEqual(c.receive()["value"], 2)

    def test_supervisor_that_comes_back(self):
        """A command waits for the supervisor of a run that goes on, as after a restart of the server."""
        token = self.s.call("claim", ns="zproc")["token"]

        def run_is(**fields):
            self.s.call("set", dict(fields, id="r"), key="run", ns="zproc", token=token)

        def stop():
            environment = dict(os.environ, ZPROC_ADDRESS=self.server.address)
            return subprocess.Popen([ZPROC, "stop", "a"], env=environment, cwd="/", stderr=subprocess.PIPE, text=True)

        run_is(ended=1)
        self.assertIn("no run goes on", stop().communicate()[1])
        run_is(ended=None)
        process, before = stop(), self.c.stats()["requests"]
        until(lambda: self.c.stats()["requests"] > before + 20, "tries")
        self.s.send("serve", service="supervisor")
        self.s.call("answer", {"workers": []}, call=self.s.receive()["call"])
        self.assertEqual(process.communicate()[1], "")
        self.assertEqual(process.returncode, 0)

    def test_departed_service(self):
        c, s = self.c, self.s
        s.send("serve", service="web")
        s.call("ping")
        for _ in range(3):
            c.send("call", service="web")
        s.receive()
        s.close()
        for code in ("not_found", "not_found", "unreachable"):  # the last one had been taken
            self.assertIn("ended", self.fails(code, c))
        self.refused("not_found", "'web'", c, "call", service="web")
        until(lambda: c.stats()["peers"] == 0)

    def test_departed_caller(self):
        c, s = self.c, self.s
        s.send("serve", service="web")
        s.call("ping")
        callers = [self.client() for _ in range(2)]
        for caller in callers:
            caller.send("call", service="web")
            caller.call("ping")
        number = s.receive()["call"]
        for caller in callers:
            caller.close()
        until(lambda: c.stats()["peers"] == 1)
        self.refused("not_found", "", s, "answer", 1, call=number)
        self.refused("timeout", "", s, "serve", service="web", timeout_ms=0)

    def test_calling_oneself(self):
        s = self.s
        s.send("serve", service="web")
        own = s.send("call", 1, service="web")
        got = s.receive()
        s.send("answer", 2, call=got["call"])
        self.assertEqual(s.receive(own)["value"], 2)
        s.receive()
        s.send("serve", service="web")
        s.send("call", 1, service="web")
        s.receive()
        s.send("call", 1, service="web")
        s.close()
        until(lambda: self.c.stats()["peers"] == 0)


if __name__ == "__main__":
    main()
