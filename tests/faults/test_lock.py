"""A lock holder that is stopped, killed, or loses its server: the others go on, and what it commits later is
refused."""
import os
import signal
import tempfile
import time
import unittest

from link import Link, Refused, Server, until
from record import Notes, join, spawn

RENEW = 1.0  # seconds
WRITERS = 4


def hold(path, notes):
    """Locks, renews as long as it runs, and commits when it finds itself resumed after a stop."""
    link = Link(path)
    token = link.call("lock")["token"]
    notes.add("locked")
    before = time.monotonic()
    while True:
        time.sleep(RENEW)
        now = time.monotonic()
        if now - before > 3 * RENEW:
            break
        before = now
        link.call("renew", token=token)
        notes.add("renewed")
    for op, value in (("renew", ...), ("commit", {"overwritten": True})):
        try:
            link.call(op, value, token=token)
            notes.add("done", op)
        except Refused as refused:
            notes.add("refused", refused.code)
    link.close()


def write(path, number, notes):
    link = Link(path)
    notes.add("called", time.monotonic())
    link.call("set", number, key="w%d" % number)
    notes.add("set", time.monotonic())
    link.close()


class Lock(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="zproc-lock-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, **options):
        server = Server(**options)
        self.addCleanup(server.remove)
        return server

    def hold(self, server):
        notes = self.folder + "/holder"
        pid = spawn(lambda: hold(server.path, Notes(notes)))
        self.addCleanup(self.end, pid)
        until(lambda: os.path.exists(notes) and Notes.read(notes), "the lock")
        return pid, notes

    def end(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
            join(pid)
        except (ProcessLookupError, ChildProcessError):
            pass  # it has ended already

    def write(self, server):
        files = ["%s/writer-%d" % (self.folder, n) for n in range(WRITERS)]
        pids = [spawn(lambda: write(server.path, n, Notes(file))) for n, file in enumerate(files)]
        until(lambda: Link(server.path).value("stats")["parked"] == WRITERS, "waiting writers")
        return pids, files

    def all_written(self, server, pids):
        self.assertEqual([join(pid) for pid in pids], [0] * WRITERS)
        self.assertEqual(dict(sorted(Link(server.path).value("get").items())), {"w%d" % n: n for n in range(WRITERS)})

    def test_stopped(self):
        server = self.serve()
        holder, notes = self.hold(server)
        pids, _ = self.write(server)
        until(lambda: len(Notes.read(notes)) >= 2, "a renewal")
        self.assertEqual(Link(server.path).value("get"), {})
        os.kill(holder, signal.SIGSTOP)
        self.all_written(server, pids)
        os.kill(holder, signal.SIGCONT)
        self.assertEqual(join(holder), 0)
        self.assertEqual(Notes.read(notes)[-2:], [["refused", "conflict"]] * 2)
        self.assertNotIn("overwritten", Link(server.path).value("get"))

    def test_killed(self):
        server = self.serve()
        holder, _ = self.hold(server)
        pids, _ = self.write(server)
        os.kill(holder, signal.SIGKILL)
        self.all_written(server, pids)

    def test_server_killed(self):
        """A lock does not outlive the server; its token is worth nothing behind that."""
        server = self.serve(persist=True)
        link = Link(server.path)
        token = link.call("lock")["token"]
        server.restart()
        link = Link(server.path)
        with self.assertRaises(Refused) as caught:
            link.call("commit", {"overwritten": True}, token=token)
        self.assertEqual(caught.exception.code, "conflict")
        self.assertEqual(link.call("set", 1, key="a")["rev"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
