"""Addresses: socket files, abstract names, tcp; who may connect."""
import fcntl
import os
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from peer import PROGRAM, Client, Server, main

ZPROC = os.path.join(os.path.dirname(PROGRAM), "zproc")


class Addresses(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="zproc-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, *arguments, **options):
        server = Server(*arguments, **options)
        self.addCleanup(lambda: server.process.stdout.closed or server.stop())
        return server

    def answers(self, address):
        client = Client(address)
        self.addCleanup(client.close)
        return client.call("ping")["pid"]

    def refuses(self, status, part, *arguments):
        ended = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=30)
        self.assertEqual((ended.returncode, ended.stdout), (status, ""), (arguments, ended.stderr))
        self.assertIn(part, ended.stderr)
        self.assertTrue(ended.stderr.startswith("zproc: server: "))

    def test_any_umask(self):
        for umask in (0o777, 0o277, 0o022, 0):
            path = "%s/%o" % (self.folder, umask)
            server = self.serve(address="ipc://" + path, umask=umask)
            self.assertEqual(stat.S_IMODE(os.lstat(path).st_mode), 0o600)
            self.assertEqual(self.answers(server.address), server.process.pid)

    def test_file(self):
        path = self.folder + "/s"
        server = self.serve(address="ipc://" + path, umask=0)
        self.assertEqual(server.address, "ipc://" + path)
        info = os.lstat(path)
        self.assertTrue(stat.S_ISSOCK(info.st_mode))
        self.assertEqual(stat.S_IMODE(info.st_mode), 0o600)
        self.assertEqual(self.answers(server.address), server.process.pid)
        self.refuses(1, "running", "--address", server.address)
        self.assertEqual(self.answers(server.address), server.process.pid)
        server.stop()
        self.assertFalse(os.path.lexists(path))

    def test_stale(self):
        path = self.folder + "/s"
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        left.close()
        server = self.serve(address="ipc://" + path)
        self.assertEqual(self.answers(server.address), server.process.pid)
        server.process.kill()  # leaves its file behind
        server.wait()
        self.assertTrue(os.path.lexists(path))
        server = self.serve(address="ipc://" + path)
        self.assertEqual(self.answers(server.address), server.process.pid)

    def test_many_find_a_stale_socket(self):
        """All but one are told that a server is running, and that one is reached."""
        path = self.folder + "/s"
        for _ in range(10):
            left = socket.socket(socket.AF_UNIX)
            left.bind(path)
            left.close()
            started = [subprocess.Popen([PROGRAM, "--address", "ipc://" + path], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True) for _ in range(8)]
            told = [process.stdout.readline() for process in started]
            serving = [process for process, line in zip(started, told) if line]
            self.assertEqual(len(serving), 1)
            self.assertEqual(self.answers("ipc://" + path), serving[0].pid)
            serving[0].kill()
            for process in started:
                said = process.communicate(timeout=30)[1]
                if process not in serving:
                    self.assertEqual(process.returncode, 1)
                    self.assertIn("running", said)
            os.unlink(path)

    def test_end_leaves_the_next_ones_socket(self):
        path = self.folder + "/s"
        first = self.serve(address="ipc://" + path)
        os.unlink(path)
        second = self.serve(address="ipc://" + path)
        first.stop()
        self.assertEqual(self.answers(second.address), second.process.pid)

    def left_behind(self, name, age, listens=False):
        path = "%s/zproc/%s" % (self.folder, name)
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        if listens:
            left.listen(1)
            self.addCleanup(left.close)
        else:
            left.close()
        os.utime(path, (time.time() - age, time.time() - age))
        return name

    def file_left(self, name, age, locked=False):
        path = "%s/zproc/%s" % (self.folder, name)
        file = open(path, "w")
        if locked:
            fcntl.flock(file, fcntl.LOCK_SH)
            self.addCleanup(file.close)
        else:
            file.close()
        os.utime(path, (time.time() - age, time.time() - age))
        return name

    def test_sweep(self):
        """A server at an address of its own clears away what killed ones have left, and nothing else."""
        os.mkdir(self.folder + "/zproc", 0o700)
        stay = {self.left_behind("aaaaaaaaaaaa", 10), self.left_behind("bbbbbbbbbbbb", 1000, listens=True),
                self.left_behind("mine", 1000), self.left_behind("Aaaaaaaaaaaa", 1000),
                self.file_left("cccccccccccc", 1000), self.file_left("mine.key", 1000),
                self.file_left("dddddddddddd.key", 10), self.file_left("eeeeeeeeeeee.key", 1000, locked=True)}
        os.symlink("mine", self.folder + "/zproc/ffffffffffff")
        os.utime(self.folder + "/zproc/ffffffffffff", (0, 0), follow_symlinks=False)
        stay.add("ffffffffffff")
        self.left_behind("gggggggggggg", 1000)
        self.left_behind("0123456789ab", 1000)
        self.file_left("hhhhhhhhhhhh.key", 1000)
        self.own_address(XDG_RUNTIME_DIR=self.folder)
        self.assertEqual(set(os.listdir(self.folder + "/zproc")), stay)

    def test_sweep_is_bounded(self):
        """Of very many, each start takes some, and in the end none is left."""
        os.mkdir(self.folder + "/zproc", 0o700)
        for i in range(500):
            self.left_behind("%012d" % i, 1000)
        self.own_address(XDG_RUNTIME_DIR=self.folder)
        left = len(os.listdir(self.folder + "/zproc"))
        self.assertEqual(left, 500 - 64)
        while left:
            self.own_address(XDG_RUNTIME_DIR=self.folder)
            now = len(os.listdir(self.folder + "/zproc"))
            self.assertLess(now, left)
            left = now

    def test_live_with_a_full_backlog(self):
        path = self.folder + "/s"
        live = socket.socket(socket.AF_UNIX)
        self.addCleanup(live.close)
        live.bind(path)
        live.listen(0)
        for _ in range(3):
            s = socket.socket(socket.AF_UNIX)
            self.addCleanup(s.close)
            s.setblocking(False)
            try:
                s.connect(path)
            except BlockingIOError:
                pass
        self.refuses(1, "running", "--address", "ipc://" + path)
        self.assertTrue(os.path.lexists(path))

    def test_no_socket(self):
        path = self.folder + "/s"
        with open(path, "w") as file:
            file.write("precious")
        self.refuses(2, "not a socket", "--address", "ipc://" + path)
        with open(path) as file:
            self.assertEqual(file.read(), "precious")
        os.symlink(path, self.folder + "/link")
        self.refuses(2, "not a socket", "--address", "ipc://" + self.folder + "/link")
        self.refuses(2, "not a socket", "--address", "ipc://" + self.folder)
        self.refuses(125, "cannot listen", "--address", "ipc://" + self.folder + "/none/s")
        self.refuses(2, "", "--address", "ipc://" + self.folder + "/" + "x" * 108)

    def test_abstract(self):
        name = "ipc://@zproc-test-%d" % os.getpid()
        server = self.serve(address=name)
        self.assertEqual(server.address, name)
        self.assertEqual(self.answers(name), server.process.pid)
        self.refuses(1, "running", "--address", name)

    def test_tcp(self):
        server = self.serve(address="tcp://127.0.0.1:0")
        self.assertRegex(server.address, r"^tcp://127\.0\.0\.1:[1-9]\d*$")
        self.assertEqual(self.answers(server.address), server.process.pid)
        self.refuses(1, "cannot listen", "--address", server.address)
        server = self.serve(address="tcp://localhost:0")
        self.assertRegex(server.address, r"^tcp://127\.0\.0\.1:[1-9]\d*$")
        self.assertEqual(self.answers(server.address), server.process.pid)

    def test_tcp6(self):
        try:
            with socket.socket(socket.AF_INET6) as s:
                s.bind(("::1", 0))
        except OSError as error:
            self.skipTest("no IPv6 here: %s" % error)
        server = self.serve(address="tcp://[::1]:0")
        self.assertRegex(server.address, r"^tcp://\[::1\]:[1-9]\d*$")
        client = Client(server.address, ipv6=1)
        self.addCleanup(client.close)
        self.assertEqual(client.call("ping")["pid"], server.process.pid)

    def test_not_loopback(self):
        for address in ("tcp://*:0", "tcp://0.0.0.0:0", "tcp://128.0.0.1:0"):
            self.refuses(2, "--insecure", "--address", address)
        server = self.serve("--insecure", address="tcp://0.0.0.0:0")
        port = server.address.rsplit(":", 1)[1]
        self.assertEqual(self.answers("tcp://127.0.0.1:" + port), server.process.pid)
        server.process.terminate()
        status, said = server.wait()
        self.assertEqual(status, 0)
        self.assertRegex(said, r"^zproc: server: warning: there is no secret key.*\n$")

    def test_no_address_of_this_machine(self):
        for address in ("tcp://no.such.host:0", "tcp://nonsense:7000"):
            self.refuses(2, "IP address", "--address", address)
            self.refuses(2, "IP address", "--address", address, "--insecure")

    def test_limits(self):
        for limit in ("0", "1", "16383"):
            self.refuses(2, "--log-limit %s" % limit, "--log-limit", limit)
            self.refuses(2, "--state-limit %s" % limit, "--state-limit", limit)
        self.refuses(2, "--log-limit", "--log-limit", "much")

    def test_too_few_descriptors(self):
        for count in (16, 24, 79):
            ended = subprocess.run(["/bin/sh", "-c", 'ulimit -n %d; exec "$0" "$@"' % count, PROGRAM, "--address",
                                    "ipc://%s/few" % self.folder], capture_output=True, text=True, timeout=30)
            self.assertEqual((ended.returncode, ended.stdout), (125, ""), ended.stderr)
            self.assertIn("ulimit -n", ended.stderr)
        server = self.serve(shell="ulimit -n 80;")
        self.assertEqual(self.answers(server.address), server.process.pid)

    def test_nonsense(self):
        for address in ("", "x", "ipc://", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://:1", "inproc://a",
                        "tcp://127.0.0.1:70000"):
            self.refuses(2, "", "--address", address)
        self.refuses(2, "operand", "more")
        self.refuses(2, "usage", "--nonsense")
        self.refuses(2, "descriptor", "--listen-fd", "x")

    def test_inherited(self):
        """A listening socket of the parent: connections made before wait in its backlog; the file is the
        parent's."""
        path = self.folder + "/s"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(path)
        listener.listen(10)
        client = Client("ipc://" + path)
        self.addCleanup(client.close)
        client.send("ping")
        for _ in range(2):
            process = subprocess.Popen([PROGRAM, "--address", "ipc://" + path, "--listen-fd",
                                        str(listener.fileno())], pass_fds=[listener.fileno()],
                                       stdout=subprocess.PIPE, text=True)
            self.assertEqual(process.stdout.readline(), "ipc://%s\n" % path)
            self.assertEqual(client.receive()["pid"], process.pid)
            process.terminate()
            self.assertEqual(process.wait(30), 0)
            process.stdout.close()
            self.assertTrue(os.path.lexists(path))
            client.send("ping")

    def own_address(self, **environment):
        server = subprocess.Popen([PROGRAM], stdout=subprocess.PIPE, text=True, env=environment)
        address = server.stdout.readline().strip()
        self.assertEqual(self.answers(address), server.pid)
        folder = os.path.dirname(address[len("ipc://"):])
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        server.terminate()
        self.assertEqual(server.wait(30), 0)
        server.stdout.close()
        return address

    def test_own_address(self):
        address = self.own_address(XDG_RUNTIME_DIR=self.folder)
        self.assertRegex(address, "^ipc://%s/zproc/[0-9a-z]{12}$" % self.folder)
        address = self.own_address(TMPDIR=self.folder)
        self.assertRegex(address, "^ipc://%s/zproc-%d/[0-9a-z]{12}$" % (self.folder, os.getuid()))
        os.chmod("%s/zproc-%d" % (self.folder, os.getuid()), 0o755)
        ended = subprocess.run([PROGRAM], capture_output=True, text=True, env={"TMPDIR": self.folder}, timeout=30)
        self.assertEqual(ended.returncode, 2)
        self.assertIn("only you", ended.stderr)

    @staticmethod
    def greeted(uid, path):
        """As another user in a child: 1 with the server's greeting, 0 without, 3 when nothing lets it near."""
        child = os.fork()
        if child == 0:
            try:
                os.setuid(uid)
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(20)
                s.connect(path)
                s.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16 + 32))
                os._exit(len(s.recv(1)))
            except PermissionError:
                os._exit(3)
            except ConnectionError:
                os._exit(0)
            finally:
                os._exit(9)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    @unittest.skipIf(os.getuid() != 0, "only root can become somebody else")
    def test_other_user(self):
        """Another user's connection is closed, also at an abstract name."""
        name = "zproc-test-other-%d" % os.getpid()
        server = self.serve(address="ipc://@" + name)
        self.assertEqual(self.greeted(0, "\0" + name), 1)
        self.assertEqual(self.greeted(65534, "\0" + name), 0)
        self.assertEqual(self.answers(server.address), server.process.pid)

    @unittest.skipIf(os.getuid() != 0, "only root can become somebody else")
    def test_other_user_at_a_file(self):
        """The mode keeps others out, and whoever loosens it does not let them in."""
        os.chmod(self.folder, 0o755)
        path = self.folder + "/s"
        server = self.serve(address="ipc://" + path)
        self.assertEqual(self.greeted(65534, path), 3)
        os.chmod(path, 0o666)
        self.assertEqual(self.greeted(65534, path), 0)
        self.assertEqual(self.greeted(0, path), 1)

    @unittest.skipIf(os.getuid() != 0, "only root can become somebody else")
    def test_other_users_server(self):
        """A client does not talk to whoever else has taken the name."""
        name = "zproc-test-squat-%d" % os.getpid()
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            squatter = socket.socket(socket.AF_UNIX)
            squatter.bind("\0" + name)
            squatter.listen(10)
            os.write(told, b"x")
            squatter.settimeout(60)
            try:
                os._exit(len(squatter.accept()[0].recv(100)))
            finally:
                os._exit(0)
        os.read(ready, 1)
        ended = subprocess.run([ZPROC, "-a", "ipc://@" + name, "set", "-s", "k", "a secret"], capture_output=True,
                               text=True, timeout=30)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("another user", ended.stderr)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


if __name__ == "__main__":
    main()
