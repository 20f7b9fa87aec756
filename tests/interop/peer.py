"""A stock ZeroMQ client of the protocol, and a server to test: what the interoperation tests share."""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import zmq
except ImportError as error:
    print("skipped: python3-zmq is not installed (%s)" % error)
    sys.exit(77)

PROGRAM = os.environ["ZPROC_SERVER"]
PATIENCE = 30  # seconds until something that should happen counts as missing


class Refused(Exception):
    """The server answered ok: false."""

    def __init__(self, header):
        super().__init__("%s: %s" % (header["error"], header["message"]))
        self.code = header["error"]
        self.message = header["message"]
        self.missed = header.get("missed")


def until(condition, what="what was waited for"):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("%s did not happen in %d s" % (what, PATIENCE))
        time.sleep(0.005)


class Server:
    """A server of its own; stop() checks that it ended well and said nothing, but one line for each kind of
    connection that it had to close."""

    def __init__(self, *arguments, address=None, shell="", umask=None):
        self.folder = tempfile.mkdtemp(prefix="zproc-test-")
        self.asked = address or "ipc://%s/socket" % self.folder
        self.errors = open(self.folder + "/stderr", "w+")
        command = [PROGRAM, "--address", self.asked, *arguments]
        if shell:
            command = ["/bin/sh", "-c", shell + ' exec "$0" "$@"', *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True,
                                        preexec_fn=(lambda: os.umask(umask)) if umask is not None else None)
        self.address = self.process.stdout.readline().strip()

    def memory(self):
        """Resident bytes."""
        with open("/proc/%d/statm" % self.process.pid) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self):
        """Seconds of processor time."""
        with open("/proc/%d/stat" % self.process.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def said(self):
        self.errors.seek(0)
        return self.errors.read()

    def wait(self):
        try:
            status = self.process.wait(PATIENCE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
        text = self.said()
        self.errors.close()
        shutil.rmtree(self.folder)
        return status, text

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status, text = self.wait()
        lines = text.splitlines()
        closed = {line for line in lines if line.startswith("zproc: server: a connection was closed: ")}
        assert status == 0 and len(lines) == len(closed), "the server ended with %d:\n%s" % (status, text)


class Client:
    """One connection. send() and receive() for what waits, call() for the rest."""

    def __init__(self, address, kind=zmq.DEALER, context=None, **options):
        self.context = context or zmq.Context.instance()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.kind = kind
        self.id = 0
        self.socket.connect(address)

    def close(self):
        self.socket.close()

    def frames(self, *frames):
        self.socket.send_multipart(frames)

    def send(self, op, value=..., **fields):
        self.id += 1
        header = {"v": 1, "id": self.id, "op": op, **fields}
        frames = [json.dumps(header).encode()]
        if value is not ...:
            frames.append(value if isinstance(value, bytes) else json.dumps(value).encode())
        self.frames(*([b""] if self.kind == zmq.DEALER else []), *frames)
        return self.id

    def receive_any(self, patience=PATIENCE):
        """(header, value frame or None) of the next message in the protocol's form; None: nothing came."""
        end = time.monotonic() + patience
        while self.socket.poll(max(0, int((end - time.monotonic()) * 1000))):
            frames = self.socket.recv_multipart()
            if self.kind == zmq.DEALER:
                if len(frames) < 2:
                    continue  # every client ignores a delimiter alone
                assert frames[0] == b""
                frames = frames[1:]
            assert 1 <= len(frames) <= 2
            return json.loads(frames[0]), frames[1] if len(frames) == 2 else None
        return None

    def receive(self, id=None, patience=PATIENCE):
        answer = self.receive_any(patience)
        assert answer, "no answer in %g s" % patience
        header, value = answer
        if not header["ok"]:
            assert set(header) - {"missed"} == {"id", "ok", "error", "message"}, header
            assert ("missed" not in header) or (header["error"] == "lost" and header["missed"] > 0), header
            raise Refused(header)
        assert isinstance(header["rev"], int)
        if id is not None:
            assert header["id"] == id, (header, id)
        header["value"] = json.loads(value) if value is not None else None
        header["text"] = value
        return header

    def call(self, op, value=..., **fields):
        """The answer's header with `value` (and its `text`); Refused when it is an error."""
        return self.receive(self.send(op, value, **fields))

    def value(self, op, value=..., **fields):
        return self.call(op, value, **fields)["value"]

    def stats(self):
        return self.value("stats")

    def silent(self, seconds=0.2):
        """Nothing comes: what could come has had a full round trip and some time more."""
        return self.receive_any(seconds) is None


class Case(unittest.TestCase):
    """A test with a server of its own."""

    arguments = ()

    def setUp(self):
        self.clients = []
        self.server = Server(*self.arguments)
        self.addCleanup(self.finish)

    def finish(self):
        for client in self.clients:
            client.close()
        self.server.stop()

    def client(self, kind=zmq.DEALER, **options):
        client = Client(self.server.address, kind, **options)
        self.clients.append(client)
        return client

    def refused(self, code, part, client, op, value=..., /, **fields):
        with self.assertRaises(Refused) as caught:
            client.call(op, value, **fields)
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertIn(part, caught.exception.message)
        return caught.exception


def main():
    unittest.main(verbosity=2)
