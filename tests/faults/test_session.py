"""A session goes from one process to the next: who comes after the end of another is never told that this one is
still there, and gets its event when it was not acknowledged."""
import os
import unittest

from link import Link, Refused, Server

ROUNDS = int(os.environ.get("ZPROC_SESSION_ROUNDS", "1000"))


class Session(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.remove)
        self.control = Link(self.server.path)
        self.addCleanup(self.control.close)

    def take_over(self, leave, op, **fields):
        for n in range(1, ROUNDS + 1):
            session = "s%d" % n
            self.control.call("session_open", session=session)
            self.control.call("set", n, key="k")
            first = Link(self.server.path)
            leave(first, session)
            first.close()
            second = Link(self.server.path)
            answer = second.call(op, session=session, **fields)
            self.assertEqual(answer["value"]["changes"][0]["value"], n)
            second.close()
            self.control.call("session_close", session=session)

    def test_an_event_that_was_not_acknowledged(self):
        self.take_over(lambda link, session: link.call("watch", session=session), "watch")

    def test_a_watch_that_waits(self):
        self.take_over(lambda link, session: link.send("watch", session=session, key="other"), "watch")

    def test_a_stream(self):
        self.take_over(lambda link, session: link.send("stream", session=session, key="other", credit=1), "stream", credit=1)

    def test_who_is_there_is_in_the_way(self):
        self.control.call("session_open", session="s")
        first, second = Link(self.server.path), Link(self.server.path)
        first.send("watch", session="s")
        self.control.call("session_open", session="other")
        for _ in range(100):  # others that end change nothing for it
            other = Link(self.server.path)
            other.send("watch", session="other")
            other.close()
            with self.assertRaises(Refused) as caught:
                second.call("watch", session="s")
            self.assertEqual(caught.exception.code, "busy")


if __name__ == "__main__":
    unittest.main(verbosity=2)
