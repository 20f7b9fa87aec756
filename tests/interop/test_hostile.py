"""Clients that do not keep to the protocol, do not read, or are too many."""
import json
import os
import resource
import socket
import struct
import time

from peer import PATIENCE, Case, Client, Server, main, until, zmq

PING = b'{"v":1,"id":7,"op":"ping"}'


class Malformed(Case):
    def test_headers(self):
        c = self.client()
        good = {"v": 1, "id": 7, "op": "ping"}
        for code, part, header in [
                ("invalid", "header", b""), ("invalid", "header", b"{"), ("invalid", "header", b"\xff\x00junk"),
                ("invalid", "object", b"[]"), ("invalid", "object", b"1"), ("invalid", "header", b"[" * 100000),
                ("invalid", "'op'", {"v": 1, "id": 7}), ("invalid", "'v'", {"id": 7, "op": "ping"}),
                ("invalid", "'id'", {"v": 1, "op": "ping"}), ("unsupported", "2", dict(good, v=2)),
                ("unsupported", "nonsense", dict(good, op="nonsense")), ("unsupported", "''", dict(good, op="")),
                ("invalid", "'v'", dict(good, v="1")), ("invalid", "'id'", dict(good, id=1.5)),
                ("invalid", "'op'", dict(good, op=None)), ("invalid", "'nonsense'", dict(good, nonsense=1)),
                ("invalid", "'key'", dict(good, key="a")), ("invalid", "'at'", dict(good, op="get", at="1")),
                ("invalid", "'live'", dict(good, op="watch", live=1)),
                ("invalid", "'keys'", dict(good, op="watch", keys="a")),
                ("invalid", "'keys'", dict(good, op="watch", keys=["a", 1])),
                ("invalid", "'client'", dict(good, op="set", client="x", seq=1)),
                ("invalid", "'seq'", dict(good, op="set", client="0" * 32)),
                ("invalid", "'timeout_ms'", dict(good, op="watch", timeout_ms=-1))]:
            with self.subTest(header=str(header)[:60]):
                text = header if isinstance(header, bytes) else json.dumps(header).encode()
                c.frames(b"", text)
                answer, value = c.receive_any()
                self.assertEqual((answer["ok"], answer["error"], value), (False, code, None), answer)
                self.assertIn(part, answer["message"])
                known = isinstance(header, dict) and header.get("id") == 7
                self.assertEqual(answer["id"], 7 if known else 0)
        c.call("ping")

    def test_frames(self):
        """Without the delimiter there is nobody to answer; too many frames are refused."""
        c = self.client()
        for frames in ([PING], [b"x", PING], [b""], [b"x"], [b"x"] * 9, [b"\x00" * 100]):
            c.frames(*frames)
        c.frames(b"", PING, b"1", b"2")
        answer, _ = c.receive_any()
        self.assertEqual((answer["id"], answer["error"]), (7, "invalid"))
        for count in (3, 100, 10000):  # no mistake any more: that connection ends
            many = self.client(reconnect_ivl=-1)
            many.call("ping")
            many.frames(b"", PING, *[b"1"] * count)
            until(lambda: not many.socket.poll(0, zmq.POLLOUT), "the end of the connection")
            self.assertIsNone(many.receive_any(0))
        c.frames(b"", PING, b"")
        self.assertEqual(c.receive_any()[0]["error"], "invalid")
        c.frames(b"", PING)
        self.assertEqual(c.receive_any()[0]["ok"], True)

    def test_junk_does_not_stop_timers(self):
        """Deadlines are kept while somebody sends nothing but junk."""
        junk, w = self.client(sndhwm=0), self.client()
        w.send("watch", timeout_ms=200)
        end = time.monotonic() + PATIENCE
        while not w.socket.poll(0):
            self.assertLess(time.monotonic(), end)
            for _ in range(200):
                junk.frames(b"junk", b"junk")
        self.assertEqual(w.receive_any()[0]["error"], "timeout")

    def test_too_large_a_frame(self):
        """libzmq drops a connection that sends one; the others go on."""
        c, big = self.client(), self.client()
        big.send("set", b'"' + b"x" * (17 * 1024 * 1024) + b'"', key="a")
        c.call("ping")
        self.assertEqual(c.value("keys"), [])

    def test_raw_bytes(self):
        """Before and after the greeting anything may come."""
        c = self.client()
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 32)
        ready = b"\x04\x1b\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
        for i, data in enumerate([b"GET / HTTP/1.0\r\n\r\n", os.urandom(1000), greeting, greeting + os.urandom(200),
                                  greeting + b"\x04\x05\x05READY", greeting + b"\x02" + b"\xff" * 8,
                                  greeting + ready, greeting + ready + b"\x01\x00\x00\x03abc",
                                  greeting + ready + b"\x02" + struct.pack(">Q", 1 << 62),
                                  greeting + ready + b"\x01\x00" * 1000] * 10):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.server.address[len("ipc://"):])
            try:
                s.sendall(data)
            except OSError:
                pass
            if i % 3:
                s.close()
            else:
                self.addCleanup(s.close)
        c.call("ping")
        until(lambda: c.stats()["peers"] == 0)


class Unread(Case):
    # What libzmq keeps for a peer (16 messages) and what is held for it, with room for a sanitizer's overhead.
    BOUND = 600 * 1000 * 1000

    def test_memory(self):
        """A client that asks for much and never reads is stalled: it costs a bounded amount, and the others do
        not notice."""
        c = self.client()
        c.call("set", "x" * 1000000, key="a")
        greedy = self.client(rcvhwm=1, sndhwm=0)
        for _ in range(500):
            greedy.send("get", key="a")
        until(lambda: c.stats()["stalled"] == 1, "stalling")
        for i in range(200):
            c.call("set", i, key="b")
        self.assertLess(self.server.memory(), self.BOUND)
        for _ in range(5000):  # more than is held for it: it is dropped
            greedy.send("get", key="a")
        for _ in range(200):
            c.call("ping")
        self.assertLess(self.server.memory(), self.BOUND)

    def test_reads_at_last(self):
        """Who reads again gets everything, in order."""
        c = self.client()
        c.call("set", "x" * 1000000, key="a")
        slow = self.client(rcvhwm=1)
        ids = [slow.send("get", key="a") for _ in range(500)]
        until(lambda: c.stats()["stalled"] == 1, "stalling")
        for id in ids:
            self.assertEqual(len(slow.receive(id)["text"]), 1000002)
        until(lambda: c.stats()["stalled"] == 0)
        until(lambda: c.stats()["peers"] == 0)

    def test_watchers(self):
        """Watchers that never read their events do not stop the writer."""
        c = self.client()
        sleepers = [self.client(rcvhwm=1) for _ in range(10)]
        for sleeper in sleepers:
            for _ in range(100):
                sleeper.send("watch", live=True, want="snapshot")
        until(lambda: c.stats()["waits"] == 1000)
        c.call("set", "x" * 100000, key="a")
        c.call("set", 1, key="b")
        until(lambda: c.stats()["waits"] == 0)
        self.assertLess(self.server.memory(), self.BOUND)
        for sleeper in sleepers:
            sleeper.close()
        until(lambda: c.stats()["peers"] == 0)


class Descriptors(Case):
    def setUp(self):
        self.clients = []
        self.server = Server(shell="ulimit -n 256;")
        self.addCleanup(self.finish)

    def newcomer(self):
        client = Client(self.server.address)
        try:
            client.send("ping")
            return client.receive_any(1) is not None
        finally:
            client.close()

    def test_half_open(self):
        """More connections than descriptors: it lives, and who is connected is answered."""
        c = self.client()
        c.call("ping")
        path = self.server.address[len("ipc://"):]
        held = []
        for i in range(1000):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(path)
            except BlockingIOError:
                pass
            held.append(s)
            if i % 100 == 0:
                c.call("ping")
        self.assertEqual(c.call("set", 1, key="a")["rev"], 1)
        for s in held:
            s.close()
        until(self.newcomer, "an answer to a newcomer")


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    main()
