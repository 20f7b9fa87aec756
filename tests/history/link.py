"""A server to hurt, and a client that sees at once when its connection is lost: ZMTP over a plain socket, so
that a test may fork at any time. Shared by the history tests and the fault tests."""
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

PROGRAM = os.environ["ZPROC_SERVER"]
PATIENCE = 30  # seconds until something that should happen counts as missing
LOST = (OSError, EOFError)  # what a Link raises when the connection ends; the outcome is unknown

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + bytes(32)
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
MORE, LONG, COMMAND = 1, 2, 4


class Refused(Exception):
    """The server answered ok: false."""

    def __init__(self, header):
        super().__init__("%s: %s" % (header["error"], header["message"]))
        self.code = header["error"]
        self.unknown = header.get("outcome") == "unknown"


def until(condition, what="what was waited for", patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("%s did not happen in %d s" % (what, patience))
        time.sleep(0.002)


def frame(flags, body):
    if len(body) > 255:
        return struct.pack("!BQ", flags | LONG, len(body)) + body
    return struct.pack("!BB", flags, len(body)) + body


class Link:
    """One connection. call() for what is answered at once; send() and receive() for the rest."""

    def __init__(self, path, patience=PATIENCE):
        self.id = 0
        self.input = b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        try:
            self.socket.connect(path)
            self.socket.sendall(GREETING + frame(COMMAND, READY))
            self.take(64)
            flags, body = self.take_frame()
            if not flags & COMMAND or body[:6] != b"\x05READY":
                raise OSError("no handshake")
        except OSError:
            self.socket.close()
            raise

    def close(self):
        self.socket.close()

    def take(self, count):
        while len(self.input) < count:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the connection was closed")
            self.input += more
        data, self.input = self.input[:count], self.input[count:]
        return data

    def take_frame(self):
        flags, length = self.take(2)
        if flags & LONG:
            length, = struct.unpack("!Q", bytes([length]) + self.take(7))
        return flags, self.take(length)

    def send(self, op, value=..., **fields):
        self.id += 1
        header = json.dumps({"v": 1, "id": self.id, "op": op, **fields}).encode()
        text = b"" if value is ... else frame(0, json.dumps(value).encode())
        self.socket.sendall(frame(MORE, b"") + frame(MORE if text else 0, header) + text)
        return self.id

    def receive(self):
        """The answer's header with `value`; Refused when it is an error."""
        while True:
            frames = []
            more = MORE
            while more:
                flags, body = self.take_frame()
                if flags & COMMAND:
                    continue
                frames.append(body)
                more = flags & MORE
            if len(frames) > 1:  # every client ignores a delimiter alone
                break
        header = json.loads(frames[1])
        if not header["ok"]:
            raise Refused(header)
        header["value"] = json.loads(frames[2]) if len(frames) > 2 else None
        return header

    def call(self, op, value=..., **fields):
        id = self.send(op, value, **fields)
        header = self.receive()
        assert header["id"] == id, (header, id)
        return header

    def value(self, op, value=..., **fields):
        return self.call(op, value, **fields)["value"]


def link_until(path, patience=PATIENCE):
    """A connection to a server that may be about to come back."""
    end = time.monotonic() + patience
    while True:
        try:
            return Link(path)
        except LOST:
            if time.monotonic() > end:
                raise
            time.sleep(0.002)


class Client:
    """Numbered requests that are sent again over a new connection until they are answered."""

    def __init__(self, path):
        self.path = path
        self.name = os.urandom(16).hex()
        self.seq = 0
        self.again = 0  # how often a request was sent again
        self.link = None

    def close(self):
        if self.link:
            self.link.close()
        self.link = None

    def write(self, op, value=..., **fields):
        self.seq += 1
        return self.ask(op, value, client=self.name, seq=self.seq, done=self.seq, **fields)

    def ask(self, op, value=..., **fields):
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if not self.link:
                    self.link = link_until(self.path)
                return self.link.call(op, value, **fields)
            except LOST:
                self.close()
                self.again += 1
                if time.monotonic() > end:
                    raise


class Server:
    """A server that can be killed and started again in the same place."""

    def __init__(self, *arguments, persist=None, durability=None, environment=None, folder=None):
        self.root = tempfile.mkdtemp(prefix="zproc-test-")
        self.path = self.root + "/socket"
        self.folder = folder or (self.root + "/state" if persist else None)
        self.arguments = list(arguments)
        if self.folder:
            self.arguments += ["--persist", self.folder]
        self.durability = durability
        if durability:
            self.arguments += ["--durability", durability]
        self.environment = {**os.environ, "ZPROC_FAULT_FOLDER": self.folder or "", **(environment or {})}
        self.kills = 0
        self.process = None
        self.start()

    def command(self, *more):
        return [PROGRAM, "--address", "ipc://" + self.path, *self.arguments, *more]

    def start(self, *more):
        with open(self.root + "/stderr", "a") as errors:
            self.process = subprocess.Popen(self.command(*more), stdout=subprocess.PIPE, stderr=errors, text=True,
                                            env=self.environment)
        address = self.process.stdout.readline()
        assert address, "the server did not start: %s" % self.said()

    def said(self):
        with open(self.root + "/stderr") as file:
            return file.read()

    def wait(self, patience=PATIENCE):
        status = self.process.wait(patience)
        self.process.stdout.close()
        return status

    def kill(self):
        self.kills += 1
        self.process.send_signal(signal.SIGKILL)
        self.wait()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        """Ends it in order; what it said on stderr in all its lives."""
        self.process.terminate()
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise
        assert status == 0, "the server ended with %d: %s" % (status, self.said())
        return self.said()

    def remove(self):
        if self.process.poll() is None:
            self.process.kill()
            self.wait()
        shutil.rmtree(self.root)


def log_of(path, ns="default", **fields):
    """Every event in the server's log: (revision, event)."""
    link, after = Link(path), 0
    while True:
        try:
            got = link.call("watch", after=after, timeout_ms=0, ns=ns, **fields)
        except Refused as refused:
            link.close()
            if refused.code != "timeout":
                raise
            return
        assert got["rev"] > after, "revision %d comes after %d" % (got["rev"], after)
        after = got["rev"]
        yield after, got["value"]
