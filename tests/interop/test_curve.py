"""A server with a secret key: stock clients with the right CURVE keys, with others, and what the wire shows."""
import os
import select
import socket
import subprocess
import tempfile
import threading

import zmq

from peer import PATIENCE, Case, Client, Server, main

ZPROC = os.path.join(os.path.dirname(os.environ["ZPROC_SERVER"]), "zproc")


class Relay(threading.Thread):
    """Stands between client and server and keeps every byte of both ways."""

    def __init__(self, target):
        super().__init__(daemon=True)
        host, port = target.removeprefix("tcp://").split(":")
        self.target = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.sent, self.received = b"", b""
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(self.target)
        while True:
            for end in select.select([client, server], [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                if end is client:
                    self.sent += data
                    server.sendall(data)
                else:
                    self.received += data
                    client.sendall(data)


class Curve(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="zproc-test-")
        self.addCleanup(folder.cleanup)
        self.key_file = folder.name + "/key"
        self.zproc("keygen", self.key_file)
        os.environ["ZPROC_KEY_FILE"] = self.key_file
        try:
            self.clients, self.server = [], Server(address="tcp://127.0.0.1:0")
        finally:
            del os.environ["ZPROC_KEY_FILE"]
        self.addCleanup(self.finish)
        lines = self.zproc("keygen", "--curve", "--key-file", self.key_file).splitlines()
        self.keys = {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1].encode() for line in lines}

    def zproc(self, *arguments):
        return subprocess.run([ZPROC, *arguments], check=True, capture_output=True, text=True).stdout

    def keyed(self, **other):
        keys = {"curve_serverkey": self.keys["server public"], "curve_publickey": self.keys["client public"],
                "curve_secretkey": self.keys["client secret"], **other}
        return self.client(**keys)

    def test_right_keys(self):
        client = self.keyed()
        client.call("set", 5, key="k")
        self.assertEqual(client.value("get", key="k"), 5)
        client.call("set", "x" * 1000000, key="big")
        self.assertEqual(len(client.value("get", key="big")), 1000000)
        self.assertEqual(self.zproc("-a", self.server.address, "--key-file", self.key_file, "get", "k"), "5\n")

    def test_other_keys_get_nothing(self):
        public, secret = zmq.curve_keypair()
        for keys in ({"curve_publickey": public, "curve_secretkey": secret},
                     {"curve_serverkey": public},
                     {"curve_publickey": self.keys["server public"]}):
            client = self.keyed(**keys)
            client.send("ping")
            self.assertTrue(client.silent())
        client = self.client()
        client.send("ping")
        self.assertTrue(client.silent())
        self.assertTrue(self.keyed().call("ping")["ok"])

    def ask_through(self, relay, address):
        return subprocess.run([ZPROC, "-a", address, "--key-file", self.key_file, "set", "-s", "the-key-name",
                               "the-secret-value"], check=True, timeout=PATIENCE)

    def test_the_wire_shows_neither_keys_nor_values(self):
        relay = Relay(self.server.address)
        self.ask_through(relay, relay.address)
        with open(self.key_file) as file:
            text = file.read().strip().encode()
        for traffic in (relay.sent, relay.received):
            self.assertIn(b"CURVE", traffic)
            for secret in (b"the-key-name", b"the-secret-value", b'"op"', b"default", text, text[5:]):
                self.assertNotIn(secret, traffic)

    def test_recorded_traffic_does_nothing(self):
        relay = Relay(self.server.address)
        self.ask_through(relay, relay.address)
        client = self.keyed()
        before = client.call("ping")["rev"]
        with socket.create_connection(relay.target) as replay:
            replay.settimeout(PATIENCE)
            replay.sendall(relay.sent)
            got = b""
            while chunk := replay.recv(65536):  # it closes: the handshake cannot be repeated
                got += chunk
        self.assertLess(len(got), len(relay.received))
        self.assertEqual(client.call("ping")["rev"], before)


if __name__ == "__main__":
    main()
