"""Half-open connections up to the limit of descriptors, messages without end, and floods of all that can be asked
for: the server lives, others are answered, and its memory stays within bounds."""
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from peer import Case, Client, Server, main, until  # noqa: E402

ZPROC = os.path.join(os.path.dirname(os.environ["ZPROC_SERVER"]), "zproc")
SIGNATURE = b"\xff" + bytes(8) + b"\x7f\x03\x00"
READY = b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
MIB = 1 << 20
GREEDY = 5 if "asan" in os.environ["ZPROC_SERVER"] else 1  # a sanitizer keeps what is freed for a while


def greeting(mechanism):
    return SIGNATURE + mechanism.ljust(20, b"\0") + bytes(32)


def connect(address):
    """A raw connection; None when nobody takes it."""
    if address.startswith("ipc://"):
        s, name = socket.socket(socket.AF_UNIX), address[len("ipc://"):]
    else:
        host, port = address[len("tcp://"):].rsplit(":", 1)
        s, name = socket.socket(), (host, int(port))
    s.settimeout(5)
    try:
        s.connect(name)
    except OSError:
        s.close()
        return None
    return s


class HalfOpen(unittest.TestCase):
    """1,000 connections that begin and do not go on, at a server that has 256 descriptors."""

    def serve(self, keyed, address):
        keys = {}
        if keyed:
            folder = tempfile.TemporaryDirectory(prefix="zproc-test-")
            self.addCleanup(folder.cleanup)
            os.environ["ZPROC_KEY_FILE"] = folder.name + "/key"
            self.addCleanup(os.environ.pop, "ZPROC_KEY_FILE", None)
            subprocess.run([ZPROC, "keygen", folder.name + "/key"], check=True)
            lines = subprocess.run([ZPROC, "keygen", "--curve"], check=True, capture_output=True,
                                   text=True).stdout.splitlines()
            public, mine, secret = (line.rsplit(" ", 1)[1].encode() for line in lines)
            keys = {"curve_serverkey": public, "curve_publickey": mine, "curve_secretkey": secret}
        server = Server(address=address, shell="ulimit -n 256;")
        self.addCleanup(server.stop)
        return server, keys

    def newcomer(self, server, keys):
        client = Client(server.address, **keys)
        try:
            client.send("ping")
            return client.receive_any(1) is not None
        finally:
            client.close()

    def attacked(self, keyed, address):
        server, keys = self.serve(keyed, address)
        client = Client(server.address, **keys)
        self.addCleanup(client.close)
        client.call("ping")
        begun = [b"", SIGNATURE[:1], SIGNATURE, greeting(b"CURVE" if keyed else b"NULL"),
                 greeting(b"CURVE" if keyed else b"NULL") + b"\x04\xc8\x05HELLO"]
        held = []
        for i in range(1000):
            s = connect(server.address)
            self.assertIsNotNone(s, "the server takes connections, if only to close them")
            self.addCleanup(s.close)
            held.append(s)
            try:
                s.sendall(begun[i % len(begun)])
            except OSError:
                pass  # closed on arrival
            if i % 50 == 0:
                client.call("ping")
        self.assertTrue(client.call("set", 1, key="a")["ok"])
        until(lambda: self.newcomer(server, keys), "an answer to a newcomer while they are held")
        self.assertEqual(client.value("get", key="a"), 1)

    def test_ipc(self):
        self.attacked(False, None)

    def test_tcp(self):
        self.attacked(False, "tcp://127.0.0.1:0")

    def test_ipc_with_a_key(self):
        self.attacked(True, None)

    def test_tcp_with_a_key(self):
        self.attacked(True, "tcp://127.0.0.1:0")


class Endless(Case):
    """Messages and commands that would not end. The connection ends instead."""

    def shaken(self):
        """A connection over which messages can be sent: libzmq takes none before it has said READY itself."""
        s = connect(self.server.address)
        s.sendall(greeting(b"NULL") + READY)
        said = b""
        while b"ROUTER" not in said:
            said += s.recv(4096)
        return s

    def ends(self, s, part, most):
        """Sends parts; whether the server has enough of them."""
        self.addCleanup(s.close)
        sent = 0
        try:
            while sent < most:
                s.sendall(part)
                sent += len(part)
        except OSError:
            return True
        return False

    def test_parts(self):
        c = self.client()
        before = self.server.memory()
        for part in (b"\x01\x00", b"\x01\xff" + bytes(255), b"\x03" + struct.pack(">Q", MIB) + bytes(MIB)):
            self.assertTrue(self.ends(self.shaken(), part * max(1, 65536 // len(part)), 400 * MIB))
            c.call("ping")
        # libzmq lets these commands through to any socket, and waits for more where more is announced.
        for flags in (b"\x06", b"\x07"):
            part = flags + struct.pack(">Q", 65536) + b"\x09SUBSCRIBE" + bytes(65526)
            self.ends(self.shaken(), part, 400 * MIB)
            c.call("ping")
        self.assertLess(self.server.memory() - before, 100 * MIB * GREEDY)

    def test_commands(self):
        """Strangers have only commands to send, and short ones."""
        c = self.client()
        before = self.server.memory()
        long = struct.pack(">Q", 16 * MIB)
        for begin in (greeting(b"NULL") + b"\x06", greeting(b"CURVE") + b"\x06",
                      greeting(b"NULL") + b"\x02"):  # the last one is no command at all
            for _ in range(20):
                s = connect(self.server.address)
                s.sendall(begin + long)
                self.assertTrue(self.ends(s, bytes(65536), 16 * MIB))
        for _ in range(20):
            s = self.shaken()
            s.sendall(b"\x06" + long)
            self.assertTrue(self.ends(s, bytes(65536), 16 * MIB))
        # libzmq itself may be the first to turn away who comes with a key.
        self.assertGreaterEqual(c.stats()["refused"]["size"], 60)
        c.call("ping")
        self.assertLess(self.server.memory() - before, 100 * MIB)

    def test_what_ended_connections_have_sent(self):
        """It is bounded while the server has something better to do."""
        c, others = self.client(), [self.client() for _ in range(32)]
        c.call("set", list(range(90)), key="l")
        self.assertTrue(c.call("eval", expr="l.all(i, l.all(j, i + j >= 0))")["ok"])
        before = self.server.memory()
        for other in others * 100:
            other.send("eval", expr="l.all(i, l.all(j, i + j >= 0))")
        body = b'{"v":1,"id":1,"op":"ping"}'
        message = b"\x01\x00\x01" + bytes([len(body)]) + body + b"\x02" + struct.pack(">Q", 2 * MIB) + bytes(2 * MIB)
        most = 0
        for _ in range(400):
            s = self.shaken()
            s.sendall(message)
            s.close()
            most = max(most, self.server.memory() - before)
        print("%d MiB at the most" % (most // MIB), flush=True)
        self.assertLess(most, 90 * MIB * GREEDY)
        c.call("ping")

    def test_messages_in_part(self):
        """Those of all connections together are bounded. Who goes on with a large one gets it through, and others
        theirs when their turn comes; who stands still does not."""
        c, slow = self.client(), self.shaken()
        self.addCleanup(slow.close)
        before, begun, start, at = self.server.memory(), [], time.monotonic(), 0
        body = b'{"v":1,"id":1,"op":"set","key":"slow"}'
        value = b'"' + b"x" * (16 * MIB - 2) + b'"'
        message = b"\x01\x00\x01" + bytes([len(body)]) + body + b"\x02" + struct.pack(">Q", len(value)) + value

        def go_on():
            """2.5 MB a second."""
            nonlocal at
            before, at = at, int((time.monotonic() - start) * 2.5e6)
            slow.sendall(message[before:at])

        for _ in range(60):
            s = self.shaken()
            self.addCleanup(s.close)
            s.setblocking(False)
            begun.append([s, 0])
        def all_go_on():
            """Each as far as the server takes it, but none to its end. How many stand there."""
            for one in begun:
                go_on()
                try:
                    while one[1] < 12 * MIB:
                        one[1] += one[0].send(message[one[1]:min(one[1] + 65536, 12 * MIB)])
                except (BlockingIOError, ConnectionError):
                    pass  # as far as it goes, or dropped because it stood still
            return sum(sent == 12 * MIB for _, sent in begun)

        go_on()
        until(lambda: all_go_on() >= 31, "as many messages in part as there is room for")
        all_go_on()
        most = self.server.memory() - before
        c.send("set", "x" * (16 * MIB - 100), key="k")
        asked, reply = time.monotonic(), None
        while reply is None:
            go_on()
            self.assertEqual(self.client().call("ping")["ok"], True)
            most = max(most, self.server.memory() - before)
            reply = c.receive_any(0.05)
            self.assertLess(time.monotonic() - asked, 60)
        print("%d MiB at the most, %.1f s until the large value was there" % (most // MIB, time.monotonic() - asked),
              flush=True)
        self.assertTrue(reply[0]["ok"])
        self.assertLess(most, 600 * MIB * GREEDY)
        slow.sendall(message[at:])
        until(lambda: self.client().value("len") == 2, "the slow one's key")
        self.assertGreater(self.client().stats()["refused"]["stalled"], 20)

    def test_large_messages_are_fine(self):
        c = self.client()
        c.call("set", "x" * (16 * MIB - 100), key="k")
        self.assertEqual(len(c.value("get", key="k")), 16 * MIB - 100)


class Floods(Case):
    arguments = ("--state-limit", "64MiB", "--log-limit", "16MiB")
    BOUND = 400 * MIB * GREEDY
    SECONDS = 2

    def flood(self, make):
        """Sends what make(i) gives, as (op, value or ..., fields), without reading much, while somebody else is
        answered."""
        attacker, other = self.client(sndhwm=0, rcvhwm=0), self.client()
        other.call("set", 1, key="mine", ns="other")
        end, i, slowest = time.monotonic() + self.SECONDS, 0, 0
        while time.monotonic() < end:
            for _ in range(200):
                op, value, fields = make(i)
                attacker.send(op, value, **fields)
                i += 1
            while attacker.socket.poll(0):
                attacker.socket.recv_multipart()
            asked = time.monotonic()
            self.assertEqual(other.value("get", key="mine", ns="other"), 1)
            slowest = max(slowest, time.monotonic() - asked)
            self.assertLess(self.server.memory(), self.BOUND)
        print("%d requests, the slowest answer to another client took %.0f ms, %d MiB" % (
            i, slowest * 1000, self.server.memory() // MIB), flush=True)
        attacker.socket.close()
        self.assertEqual(other.value("get", key="mine", ns="other"), 1)
        return other

    def test_keys(self):
        other = self.flood(lambda i: ("set", "x" * 1000, {"key": "k%d" % i}))
        self.assertLess(self.server.memory(), self.BOUND)
        other.call("clear")

    def test_large_values(self):
        self.flood(lambda i: ("set", "x" * 200000, {"key": "k%d" % (i % 1000)}))

    def test_sessions(self):
        self.flood(lambda i: ("session_open", ..., {"session": "s%d" % i}))

    def test_locks(self):
        self.flood(lambda i: ("lock", ..., {"ns": "n%d" % i}))

    def test_watches(self):
        other = self.flood(lambda i: ("watch", ..., {"condition": "prefix", "key": "k%d" % i}))
        until(lambda: other.stats()["waits"] == 0)

    def test_calls_and_services(self):
        self.flood(lambda i: ("serve" if i % 2 else "call", ..., {"service": "s%d" % i, "timeout_ms": 60000}))

    def test_clients_with_numbers(self):
        self.flood(lambda i: ("set", i, {"key": "k", "client": "%032x" % i, "seq": 1}))

    def test_transactions_that_wait(self):
        self.flood(lambda i: ("txn", ..., {"if": ["k%d > 0" % i], "then": "k = 1", "wait": True}))


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
