"""Watches and sessions: events, acknowledgements, redelivery, cancelling, departed clients."""
import os
import signal
import subprocess
import sys

from peer import Case, Refused, main, until


class Watch(Case):
    def setUp(self):
        super().setUp()
        self.c, self.w = self.client(), self.client()

    def waits(self, count):
        until(lambda: self.c.stats()["waits"] == count, "%d waits" % count)

    def test_wants(self):
        c, w = self.c, self.w
        c.call("set", 1, key="a")
        for want, value in (("value", 2), ("snapshot", {"a": 2}), ("event", None)):
            w.send("watch", live=True, keys=["a"], want=want)
            self.waits(1)
            c.call("set", 2, key="a")
            got = w.receive()
            if want == "event":
                self.assertEqual(got["value"].pop("time") // 10**12, 1)
                value = {"rev": got["rev"], "ns": "default", "changes": [{"key": "a", "old": 1, "value": 2}],
                         "identical": False}
            self.assertEqual((got["key"], got["value"]), ("a", value))
            c.call("set", 1, key="a")
        w.send("watch", live=True, keys=["a"], want="value")
        self.waits(1)
        c.call("del", key="a", session="who")
        got = w.receive()
        self.assertEqual((got["key"], got["deleted"], got["value"]), ("a", True, None))
        got = c.call("watch", after=got["rev"] - 1)
        self.assertEqual(got["value"]["by"], "who")
        self.assertEqual(got["value"]["changes"], [{"key": "a", "old": 1, "deleted": True}])

    def test_conditions(self):
        c, w = self.c, self.w
        c.call("update", {"n": None, "t": 1, "f": 0})
        for condition, fields, value, first in [
                ("equal", {"key": "t"}, 1.0, True), ("equal", {"key": "t"}, 2, False),
                ("not_equal", {"key": "t"}, 2, True), ("none", {"key": "n"}, ..., True),
                ("none", {"key": "t"}, ..., False), ("not_none", {"key": "t"}, ..., True),
                ("available", {"key": "n"}, ..., True), ("available", {"key": "q"}, ..., False),
                ("truthy", {"key": "t"}, ..., True), ("truthy", {"key": "f"}, ..., False),
                ("falsy", {"key": "f"}, ..., True), ("falsy", {"key": "t"}, ..., False),
                ("when", {"expr": "t + f == 1"}, ..., True), ("when", {"expr": "q"}, ..., False),
                ("prefix", {"key": "t"}, ..., False), ("glob", {"key": "*"}, ..., False),
                ("change", {}, ..., False), ("exclude", {"keys": ["t"]}, ..., False)]:
            with self.subTest(condition=condition, fields=fields):
                fields = {"condition": condition, "live": True, "timeout_ms": 0, **fields}
                if first:
                    got = w.call("watch", value, **fields)
                    self.assertEqual((got["first"], got["rev"]), (True, 1))
                    self.refused("timeout", "", w, "watch", value, next=True, **fields)
                else:
                    self.refused("timeout", "", w, "watch", value, **fields)
        self.waits(0)

    def test_patterns(self):
        c, w = self.c, self.w
        for condition, pattern in (("prefix", "job."), ("glob", "job.[0-9]*")):
            w.send("watch", condition=condition, key=pattern, live=True, want="value")
            self.waits(1)
            c.call("update", {"job": 1, "jobs": 2})
            c.call("update", {"a": 1, "job.7": 8})
            got = w.receive()
            self.assertEqual((got["key"], got["value"]), ("job.7", 8))
            rev = c.call("del", key="job.7")["rev"]
            self.assertTrue(w.call("watch", condition=condition, key=pattern, after=rev - 1)["value"]["changes"])

    def test_refusals(self):
        for code, part, fields, value in [
                ("invalid", "condition", {"condition": "nonsense"}, ...),
                ("invalid", "want", {"want": "nonsense"}, ...),
                ("invalid", "'expr'", {"condition": "when"}, ...),
                ("invalid", "column", {"condition": "when", "expr": "a +"}, ...),
                ("invalid", "'expr'", {"expr": "a"}, ...),
                ("invalid", "key", {"condition": "truthy"}, ...),
                ("invalid", "value frame", {"condition": "equal", "key": "a"}, ...),
                ("invalid", "'key'", {"condition": "none", "key": "a"}, 1),
                ("invalid", "key", {"condition": "prefix"}, ...),
                ("invalid", "']'", {"condition": "glob", "key": "[a"}, ...),
                ("too_large", "255", {"condition": "glob", "key": "a" * 256}, ...),
                ("invalid", "'keys'", {"condition": "exclude"}, ...),
                ("invalid", "'keys'", {"condition": "change", "key": "a", "keys": ["b"]}, ...),
                ("invalid", "empty", {"keys": [""]}, ...),
                ("too_large", "1024", {"keys": ["k%d" % i for i in range(1025)]}, ...),
                ("invalid", "live", {"live": True, "after": 0}, ...),
                ("invalid", "after", {"after": 1}, ...),
                ("invalid", "session", {"ack": 0}, ...),
                ("lost", "'s'", {"session": "s"}, ...)]:
            with self.subTest(fields=fields):
                self.refused(code, part, self.w, "watch", value, **fields)
        self.assertEqual(self.c.stats()["waits"], 0)

    def test_timeouts(self):
        self.refused("timeout", "", self.w, "watch", timeout_ms=20)
        self.refused("timeout", "", self.w, "watch", timeout_ms=0)
        self.w.send("watch", timeout_ms=2**63 - 1)
        self.waits(1)
        self.c.call("set", 1, key="a")
        self.w.receive()

    def test_edge(self):
        c, w = self.c, self.w
        c.call("set", 1, key="a")
        w.send("watch", condition="truthy", key="a", edge=True, live=True, next=True)
        self.waits(1)
        for value in (2, 0, 3):
            c.call("set", value, key="a")
        self.assertEqual(w.receive()["rev"], 4)

    def test_duplicates(self):
        c, w = self.c, self.w
        c.call("set", 1, key="a")
        w.send("watch", live=True)
        w.send("watch", live=True, duplicates=True)
        self.waits(2)
        c.call("set", 1.0, key="a")
        self.assertEqual((w.receive()["id"], w.silent(0.05)), (2, True))

    def test_cancel(self):
        c, w = self.c, self.w
        for _ in range(3):
            w.send("watch", live=True)
        self.waits(3)
        w.call("cancel", call=2)
        self.refused("not_found", "2", w, "cancel", call=2)
        self.refused("not_found", "1", c, "cancel", call=1)
        self.refused("invalid", "call", c, "cancel")
        c.call("set", 1, key="a")
        self.assertEqual([w.receive()["id"], w.receive()["id"]], [1, 3])
        self.assertTrue(w.silent(0.05))

    def test_departed(self):
        """Who has gone waits no longer, also when nothing else happens on the server."""
        for _ in range(20):
            watcher = self.client()
            for _ in range(5):
                watcher.send("watch", live=True, keys=["a"])
            watcher.call("ping")
        self.waits(100)
        for watcher in self.clients[2:]:
            watcher.close()
        self.waits(0)
        until(lambda: self.c.stats()["peers"] == 0)

    def test_too_many(self):
        for _ in range(1024):
            self.w.send("watch", live=True)
        self.refused("busy", "1024", self.w, "watch", live=True)
        self.w.call("cancel", call=1)
        self.w.send("watch", live=True)
        self.waits(1024)


KILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from peer import Client
c = Client(sys.argv[2])
print(c.call("watch", session="s")["rev"], flush=True)
sys.stdin.read()
"""


class Sessions(Case):
    def setUp(self):
        super().setUp()
        self.c, self.w = self.client(), self.client()

    def test_open_and_close(self):
        c = self.c
        self.assertEqual(c.call("session_open", session="s")["rev"], 0)
        self.refused("conflict", "'s'", c, "session_open", session="s")
        self.refused("invalid", "rev", c, "session_open", session="t", rev=1)
        self.refused("invalid", "rev", c, "session_open", session="t", rev=-1)
        self.refused("invalid", "session", c, "session_open")
        self.refused("invalid", "session", c, "session_open", session="a\n")
        c.call("session_close", session="s")
        for op, fields in (("session_close", {}), ("ack", {"ack": 0}), ("go_live", {}), ("watch", {})):
            self.refused("lost", "'s'", c, op, session="s", **fields)
        self.refused("invalid", "session", c, "ack", ack=0)
        self.refused("invalid", "ack", c, "ack", session="s")
        self.assertEqual(c.stats()["sessions"], 0)

    def test_each_event_once(self):
        c, w = self.c, self.w
        c.call("session_open", session="s", rev=0)
        for i in range(5):
            c.call("set", i, key="a")
        for rev in range(1, 6):  # separate acknowledgements
            self.assertEqual(w.call("watch", session="s", timeout_ms=0)["rev"], rev)
            self.refused("busy", "--session", c, "watch", session="s", timeout_ms=0)
            w.call("ack", session="s", ack=rev)
        self.refused("timeout", "", w, "watch", session="s", timeout_ms=0)
        for i in range(5):
            c.call("set", i, key="b")
        ack = {}
        for rev in range(6, 11):  # with the next watch
            self.assertEqual(w.call("watch", session="s", timeout_ms=0, **ack)["rev"], rev)
            ack = {"ack": rev}
        self.refused("timeout", "", w, "watch", session="s", timeout_ms=0, **ack)
        self.refused("invalid", "11", w, "ack", session="s", ack=11)
        self.refused("invalid", "11", w, "watch", session="s", ack=11)

    def test_busy_while_waiting(self):
        c, w = self.c, self.w
        c.call("session_open", session="s")
        w.send("watch", session="s")
        until(lambda: c.stats()["waits"] == 1)
        self.refused("busy", "'s'", c, "watch", session="s")
        c.send("watch", session="s", ns="other", timeout_ms=0)  # another namespace is another matter
        with self.assertRaises(Refused) as caught:
            c.receive()
        self.assertEqual(caught.exception.code, "timeout")
        c.call("set", 1, key="a")
        self.assertEqual(w.receive()["rev"], 1)
        self.refused("busy", "'s'", c, "watch", session="s")
        c.call("ack", session="s", ack=1)  # anybody who knows the session may
        self.refused("timeout", "", c, "watch", session="s", timeout_ms=0)

    def test_killed_client_gets_it_again(self):
        c = self.c
        c.call("session_open", session="s")
        for i in range(3):
            c.call("set", i, key="a")
            script = [sys.executable, "-c", KILLED, os.path.dirname(os.path.abspath(__file__)), self.server.address]
            for _ in range(2):
                child = subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                self.assertEqual(child.stdout.readline(), "%d\n" % (i + 1))
                self.refused("busy", "'s'", c, "watch", session="s", timeout_ms=0)
                child.send_signal(signal.SIGKILL)
                child.wait()
                child.stdin.close()
                child.stdout.close()
                until(lambda: c.stats()["peers"] == 0)
            self.assertEqual(c.call("watch", session="s", timeout_ms=0)["rev"], i + 1)
            c.call("ack", session="s", ack=i + 1)

    def test_closing_ends_waits(self):
        c, w = self.c, self.w
        c.call("session_open", session="s", rev=0)
        c.call("set", 1, key="a", ns="other")
        w.send("watch", session="s")
        w.send("watch", session="s", ns="other")
        self.assertEqual(w.receive()["rev"], 1)
        c.call("session_close", session="s")
        with self.assertRaises(Refused) as caught:
            w.receive()
        self.assertEqual(caught.exception.code, "lost")
        until(lambda: c.stats()["peers"] == 0)
        c.call("session_open", session="s", rev=0)
        self.assertEqual(w.call("watch", session="s", ns="other")["rev"], 1)

    def test_a_loop_does_not_spin(self):
        c, w = self.c, self.w
        c.call("set", 1, key="n")
        c.call("session_open", session="s")
        got = w.call("watch", session="s", condition="when", expr="n > 0", timeout_ms=0)
        self.assertEqual((got["rev"], got["first"]), (1, True))
        self.refused("timeout", "", w, "watch", session="s", condition="when", expr="n > 0", timeout_ms=0, ack=1)
        w.call("set", 5, key="other", session="s")
        self.refused("timeout", "", w, "watch", session="s", condition="when", expr="n > 0", timeout_ms=0)
        w.call("set", 5, key="n", session="s")
        got = w.call("watch", session="s", condition="when", expr="n > 0", timeout_ms=0)
        self.assertEqual(got["rev"], 3)

    def test_go_live(self):
        c = self.c
        c.call("session_open", session="s", rev=0)
        c.call("set", 1, key="a")
        self.assertEqual(c.call("go_live", session="s")["rev"], 1)
        self.refused("timeout", "", c, "watch", session="s", timeout_ms=0)
        self.assertEqual(c.call("watch", session="s", after=0)["rev"], 1)

    def test_cancelled_watch_frees_the_session(self):
        c, w = self.c, self.w
        c.call("session_open", session="s")
        id = w.send("watch", session="s")
        w.call("cancel", call=id)
        w.send("watch", session="s")
        c.call("set", 1, key="a")
        self.assertEqual(w.receive()["rev"], 1)
        self.refused("not_found", "", w, "cancel", call=w.id)  # answered already


class Lost(Case):
    arguments = ("--log-limit", "20000")

    def test_once(self):
        c = self.client()
        c.call("session_open", session="s", rev=0)
        for i in range(300):
            c.call("set", i, key="a")
        oldest = c.stats()["oldest"]
        refused = self.refused("lost", "%d revisions" % (oldest - 1), c, "watch", session="s")
        self.assertEqual(refused.missed, oldest - 1)
        self.assertEqual(c.call("watch", session="s")["rev"], oldest)


class Parts(Case):
    """A path narrows a condition to what stands there."""

    def test_path(self):
        c, w = self.client(), self.client()
        c.call("set", {"a": {"x": 1}, "b": 1}, key="k")
        id = w.send("watch", key="k", path="/a/x", want="value")
        w.call("ping")  # it waits now
        c.call("set", 2, key="k", path="/b")
        c.call("set", {"x": 1.0, "y": 1}, key="k", path="/a")
        c.call("set", 3, key="k", path="/a/x")
        got = w.receive(id)
        self.assertEqual((got["rev"], got["key"], got["value"]), (4, "k", 3))
        id = w.send("watch", key="k", path="/a/x", want="value")
        w.call("ping")  # it waits now
        c.call("del", key="k")
        got = w.receive(id)
        self.assertEqual((got["rev"], got["deleted"], got["value"]), (5, True, None))
        id = w.send("watch", key="k", path="/a/x", condition="available")
        w.call("ping")  # it waits now
        c.call("set", {}, key="k")
        c.call("set", {"a": {"x": None}}, key="k")
        self.assertEqual(w.receive(id)["rev"], 7)
        got = w.call("watch", key="k", path="/a/x", condition="none", want="value")
        self.assertEqual((got["rev"], got["value"]), (7, None))
        self.refused("invalid", "path", w, "watch", path="/a")
        self.refused("invalid", "path", w, "watch", condition="prefix", key="k", path="/a")
        self.refused("invalid", "", w, "watch", key="k", keys=["j"])
        self.refused("invalid", "", w, "watch", condition="exclude", key="k", path="/a")

    def test_key_alone(self):
        c, w = self.client(), self.client()
        id = w.send("watch", key="k")
        w.call("ping")  # it waits now
        c.call("set", 1, key="j")
        c.call("set", 1, key="k")
        self.assertEqual(w.receive(id)["rev"], 2)


if __name__ == "__main__":
    main()
