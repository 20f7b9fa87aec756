"""10,000 malformed streams of each kind, before and after the handshake, with and without a key; and a server that
ends amidst them. Meanwhile another client is answered."""
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from peer import PATIENCE, Client, Server, main, until  # noqa: E402

ATTACK = os.environ["ZPROC_ATTACK"]
COUNT = int(os.environ.get("ZPROC_STREAMS", "10000"))
ZPROC = os.path.join(os.path.dirname(os.environ["ZPROC_SERVER"]), "zproc")
KINDS = [line.split() for line in subprocess.run([ATTACK], check=True, capture_output=True,
                                                 text=True).stdout.splitlines()]
GROWTH = 64 << 20  # bytes that the server may have more when all of them are gone


class Streams(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="zproc-test-")
        self.addCleanup(folder.cleanup)
        self.key = folder.name + "/key"
        subprocess.run([ZPROC, "keygen", self.key], check=True)

    def serve(self, keyed, **options):
        """A server, the environment of those who have its key, and a client's options."""
        environment = dict(os.environ, **({"ZPROC_KEY_FILE": self.key} if keyed else {}))
        if keyed:
            os.environ["ZPROC_KEY_FILE"] = self.key
        try:
            server = Server(**options)
        finally:
            os.environ.pop("ZPROC_KEY_FILE", None)
        self.addCleanup(lambda: server.process.stdout.closed or server.stop())
        keys = {}
        if keyed:
            lines = subprocess.run([ZPROC, "keygen", "--curve"], check=True, capture_output=True, text=True,
                                   env=environment).stdout.splitlines()
            public, mine, secret = (line.rsplit(" ", 1)[1].encode() for line in lines)
            keys = {"curve_serverkey": public, "curve_publickey": mine, "curve_secretkey": secret}
        return server, environment, keys

    def attack(self, server, environment, kind, count, seed):
        return subprocess.Popen([ATTACK, server.address, kind, str(count), str(seed)], env=environment,
                                stderr=subprocess.PIPE, text=True)

    def all_kinds(self, keyed, address=None, count=COUNT):
        server, environment, keys = self.serve(keyed, address=address)
        client = Client(server.address, **keys)
        self.addCleanup(client.close)
        client.call("set", "mine", key="kept", ns="other")
        before = server.memory()
        for seed, (kind, *needs) in enumerate(KINDS):
            if needs and not keyed:
                continue
            with self.subTest(kind=kind, keyed=keyed):
                start, slowest = time.monotonic(), 0
                attacker = self.attack(server, environment, kind, count, seed + 1)
                while attacker.poll() is None:
                    asked = time.monotonic()
                    self.assertTrue(client.call("ping")["ok"])
                    slowest = max(slowest, time.monotonic() - asked)
                    self.assertLess(asked - start, 10 * PATIENCE)
                    time.sleep(0.002)
                said = attacker.communicate()[1]
                self.assertEqual((attacker.returncode, said), (0, ""))
                print("%s%s: %d streams in %.1f s, the slowest answer to another client took %.0f ms" % (
                    kind, " (key)" if keyed else "", count, time.monotonic() - start, slowest * 1000), flush=True)
        self.assertEqual(client.value("get", key="kept", ns="other"), "mine")
        # What they have written to the state is within its limits, and their connections are gone.
        until(lambda: client.stats()["peers"] <= 1, "the end of all peers")
        until(lambda: len(os.listdir("/proc/%d/fd" % server.process.pid)) < 40, "the end of all connections")
        self.assertLess(server.memory() - before, GROWTH * (10 if "asan" in ATTACK else 1))
        self.assertGreater(client.stats()["refused"]["protocol"], count)
        self.assertGreater(client.stats()["refused"]["size"], count)
        self.assertEqual(client.stats()["refused"]["key"] > count, keyed)
        said = server.said().splitlines()
        for reason in ["not ZMTP 3", "more frames"] + keyed * ["the same secret key"]:
            self.assertEqual(sum(reason in line for line in said), 1, (reason, said))
        server.stop()  # and nothing else was logged

    def test_without_a_key(self):
        self.all_kinds(False)

    def test_with_a_key(self):
        self.all_kinds(True)

    def test_over_tcp(self):
        self.all_kinds(False, "tcp://127.0.0.1:0", COUNT // 10)

    def test_end_amidst_them(self):
        """libzmq aborts when peers of its older protocols send while it ends: they never reach it."""
        for keyed in (False, True):
            for kind, *needs in KINDS:
                if needs and not keyed:
                    continue
                for seed in range(3):
                    server, environment, _ = self.serve(keyed)
                    attacker = self.attack(server, environment, kind, 100000, seed + 1)
                    time.sleep(0.03)  # any moment is fine
                    server.stop()
                    attacker.communicate(timeout=PATIENCE)


if __name__ == "__main__":
    main()
