"""Every call of the system and every allocation fails once, at its n-th time, in each program in turn: the outcome is
an error that says why or as if nothing had been, never a crash, a hang, something left behind, or a lost write.
A sample by default; by hand ZPROC_INJECT_ALL=1 for every n. ZPROC_INJECT_ONLY="PROGRAM", "PROGRAM CALL ERRNO" or "PROGRAM CALL ERRNO N" for some."""
import concurrent.futures
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

import link
from test_torture import BIN, Run, read, until

SHIM = os.environ["ZPROC_FAULT_INJECT"]
ALL = bool(os.environ.get("ZPROC_INJECT_ALL"))
ONLY = os.environ.get("ZPROC_INJECT_ONLY", "")
SLOW = 5 if os.environ.get("ZPROC_SANITIZED") else 1
HANG_S = 30 * SLOW
SAMPLE = (1,) if SLOW > 1 else (1, 2, 3, 5, 13, 34)
ALLOCATIONS = (200,) if SLOW > 1 else (1, 50, 333, 1500)

CALLS = [(name, getattr(errno, error)) for name, error in (line.split() for line in """
    alloc ENOMEM
    write EIO, write EINTR, writev EIO, pwrite ENOSPC, send ENOBUFS, send EINTR, sendmsg ECONNRESET
    read EIO, read EINTR, pread EIO, recv ECONNRESET, recv EINTR, recvmsg ECONNRESET
    poll ENOMEM, poll EINTR, epoll_wait EINTR, epoll_pwait EINTR, epoll_create1 EMFILE, epoll_ctl ENOMEM
    fsync EIO, fdatasync EIO, ftruncate EIO, fstat EIO, fstatat EIO, stat EIO, lstat EIO, access EIO
    open EMFILE, openat EMFILE, opendir EMFILE, fdopendir ENOMEM, scandir EMFILE, mkostemp EMFILE, memfd_create EMFILE
    rename EIO, renameat EIO, unlink EACCES, unlinkat EACCES, rmdir EACCES, mkdir EACCES, symlink EACCES
    readlink EIO, realpath EIO, chdir EACCES, fchmod EPERM, flock ENOLCK, fcntl ENOMEM, dup2 EMFILE, mmap ENOMEM
    pipe2 EMFILE, socket EMFILE, socketpair EMFILE, bind EACCES, listen EACCES, accept4 EMFILE, accept4 ECONNABORTED
    connect ECONNREFUSED, connect EAGAIN
    timerfd_create EMFILE, signalfd EMFILE, inotify_init1 EMFILE, inotify_add_watch ENOSPC
    fork EAGAIN, clone EAGAIN, waitpid EINTR, execv ENOMEM, execve ENOMEM, execvp ENOMEM, pidfd_open EMFILE
    prctl EINVAL, getrlimit EPERM, setrlimit EPERM, landlock EOPNOTSUPP
""".replace(",", "\n").strip().splitlines())]
# Where a thing that should be removed cannot be, or cannot be looked at first, it stays.
REMOVALS = ("unlink", "unlinkat", "rmdir", "opendir", "fstat", "lstat")

MANIFEST = """
state: {n: 0}
workers:
  a: {run: "echo a; zproc incr n >/dev/null", retry: {max: 3, delay: 10ms}}
  b: {run: "echo b; test $ZPROC_ATTEMPT = 2", retry: {max: 3, delay: 10ms}}
  c: {run: "zproc get n >/dev/null; echo c", needs: [a, b]}
  t: {trigger: {change: [n]}, run: "cat >/dev/null; echo t"}
"""

RICH = """
state: {n: 0, go: false}
server: {secret_key_file: key}
workers:
  svc: {service: true, run: "echo up; zproc set go true; exec sleep 100", ready: {log: up, timeout: 3s}, stop: {grace: 1s}}
  cond: {when: "go == true", needs: {svc: ready}, run: "cat; echo $WORD", env: {WORD: hush}, secrets: [WORD], stdin: {text: hello}}
  m: {map: {items: [1, 2, 3], count: 2}, run: "echo $ZPROC_ITEM", retry: 1}
  lines: {map: {range: 4, mode: lines, count: 2}, run: [sed, -u, "s/^/x/"]}
  late: {run: "sleep 100", timeout: 50ms, optional: true}
  every: {every: 20ms, run: "zproc incr n >/dev/null"}
"""

# libzmq learns of a connection that is gone when it reads; what cannot be written it tries again.
SERVER_CALLS = [(call, errno.EAGAIN if call == "send" and error == errno.ENOBUFS else error) for call, error in CALLS]


def rule(program, call, n):
    return "%s %s %d %d" % (program, call[0], n, call[1])


def environment(folder, program, call, n):
    return {"LD_PRELOAD": SHIM, "ZPROC_INJECT": rule(program, call, n), "ZPROC_INJECT_COUNT": folder + "/struck",
            "ASAN_OPTIONS": "verify_asan_link_order=0:exitcode=99", "UBSAN_OPTIONS": "exitcode=99:halt_on_error=1"}


def has_struck(folder):
    return any(read(folder + "/struck"))


def is_dynamic(program):
    return b"/ld-linux" in read(BIN + "/" + program)[:4096] or b"/ld-musl" in read(BIN + "/" + program)[:4096]


class Found(Exception):
    """What should not be."""


class Inject(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="zproc-inject-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def numbers(self, call):
        if ALL:
            return range(1, 100000)
        return ALLOCATIONS if call == "alloc" else SAMPLE

    def sweep(self, program, calls, one):
        """one(folder, call, n) is done for growing n until no call was there to fail, a few times in turn: what a
        program does is not quite the same every time."""
        if not is_dynamic(program):
            self.skipTest("%s is linked statically: nothing can be preloaded" % program)

        def of_call(call):
            found, done, missed = [], 0, 0
            each = " ".join((program, call[0], errno.errorcode[call[1]], ""))
            if ONLY and not each.startswith(ONLY + " ") and not ONLY.startswith(each):
                return done, found
            for n in [int(ONLY[len(each):])] if ONLY.startswith(each) else self.numbers(call[0]):
                name = each + str(n)
                folder = tempfile.mkdtemp(dir=self.folder)
                try:
                    one(folder, call, n)
                except (Found, AssertionError, subprocess.TimeoutExpired) as problem:
                    found.append("%s: %s" % (name, problem))
                struck = has_struck(folder)
                shutil.rmtree(folder, ignore_errors=True)
                done, missed = done + struck, 0 if struck else missed + 1
                if missed > 2 * ALL:
                    break
            return done, found
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            results = list(pool.map(of_call, calls))
        counts = ["%s %s %d" % (call, errno.errorcode[error], done) for (call, error), (done, _) in zip(calls, results) if done]
        print("%s: %d failures: %s" % (program, sum(done for done, _ in results), ", ".join(counts)), flush=True)
        found = [problem for _, problems in results for problem in problems]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    # ---- Clients of a healthy server ----

    COMMANDS = (["ping"], ["set", "k", "1"], ["get", "k"], ["incr", "n"], ["watch", "k", "--after", "0", "--timeout", "0"],
                ["cas", "k", "1", "1"], ["stats"], ["keys"], ["dump"], ["set", "--ephemeral", "--session", "s", "e", "1"],
                ["atomic", "--", "true"], ["map", "--stateful", "-j", "2", "--", "echo", ":::", "a", "b", "c"],
                ["map", "--stateful", "--lines", "--", "cat", ":::", "a", "b"], ["set", "big", "x" * 100000], ["get", "big"],
                ["atomic", "j = 2"], ["load", "/dev/null"])

    def test_client(self):
        server = link.Server()
        self.addCleanup(server.remove)
        control = link.Link(server.path)
        control.call("set", 1, key="k")
        control.call("session_open", session="s")
        control.close()
        env = {k: v for k, v in os.environ.items() if not k.startswith("ZPROC_")}

        def one(folder, call, n):
            struck = False
            for command in self.COMMANDS:
                log = folder + "/struck"
                struck = struck or has_struck(folder)
                if os.path.exists(log):
                    os.unlink(log)
                got = subprocess.run([BIN + "/zproc", "--address", "ipc://" + server.path, *command], stdin=subprocess.DEVNULL,
                                     capture_output=True, timeout=HANG_S, cwd=folder,
                                     env={**env, **environment(folder, "zproc", call, n)})
                error = got.stderr.decode(errors="replace")
                statuses = (0, 1, 3, 4, 125, 126, 127, 143) if command[0] == "map" else (0, 3, 4, 125, 126, 127)
                if got.returncode not in statuses or (got.returncode and not error):
                    raise Found("%s: status %d, %s" % (" ".join(command), got.returncode, error[-2000:]))
                if os.listdir(folder) not in ([], ["struck"]):
                    raise Found("%s: left %s" % (" ".join(command), os.listdir(folder)))
            if struck:
                with open(log, "w") as file:
                    file.write("1")
        self.sweep("zproc", CALLS, one)

    # ---- A server that keeps its state ----

    def serve(self, folder, call, n, writes, durability):
        """Numbers of writes that were acknowledged; the server has ended or was ended."""
        path, err = folder + "/s", folder + "/err"
        with open(err, "ab") as errors:
            process = subprocess.Popen([link.PROGRAM, "--address", "ipc://" + path, "--persist", folder + "/state", "--durability", durability],
                                       stdout=subprocess.PIPE, stderr=errors,
                                       env={**os.environ, **(environment(folder, "zproc-server", call, n) if call else {})})
        done, client = [], None
        try:
            ready = process.stdout.readline()
            for number in range(writes if ready else 0):
                try:
                    client = client or link.Link(path, HANG_S)
                    client.call("set", number, key="k%d" % number)
                    done.append(number)
                except link.Refused as refused:
                    if refused.code != "internal":
                        raise Found("write %d: %s" % (number, refused)) from refused
                except TimeoutError as late:
                    raise Found("write %d: no answer" % number) from late
                except link.LOST:
                    if client:
                        client.close()
                    client = None
            if not call:
                return client.value("get") if client or ready and (client := link.Link(path)) else None
        finally:
            if client:
                client.close()
            process.terminate()
            try:
                status = process.wait(HANG_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            process.stdout.close()
        said = read(err).decode(errors="replace")
        aborted = status == -signal.SIGABRT and "(src/" in said  # libzmq's own checks end the process
        if status not in (0, 3, 4, 125) and not aborted or status and not said:
            raise Found("status %d, %s" % (status, said[-2000:]))
        if status == 0 and os.path.exists(path) and call[0] not in REMOVALS:
            raise Found("the socket is left")
        return done

    def server_with(self, durability):
        def one(folder, call, n):
            done = self.serve(folder, call, n, 20, durability)
            state = self.serve(folder, None, 0, 0, durability)
            lost = [number for number in done if (state or {}).get("k%d" % number) != number]
            if state is None or lost:
                raise Found("of %s these are lost: %s\n%s" % (done, lost, read(folder + "/err").decode(errors="replace")[-1000:]))
        self.sweep("zproc-server", SERVER_CALLS, one)

    def test_server_always(self):
        self.server_with("always")

    def test_server_process(self):
        self.server_with("process")

    # ---- A run ----

    def run_of(self, program, manifest=MANIFEST):
        def one(folder, call, n):
            if "key" in manifest:
                subprocess.run([BIN + "/zproc", "keygen", folder + "/key"], check=True, capture_output=True)
            run = Run(folder, manifest, environment=environment(folder, program, call, n).items())
            try:
                status = run.wait(HANG_S)
                said = run.text("err")
                killed = status >= 128 and "killed by SIG" not in said  # a worker may be, when its output is lost
                if status < 0 or status == 99 or killed or "AddressSanitizer" in said or "runtime error" in said:
                    raise Found("status %d, %s" % (status, said[-3000:]))
                if status != 0 and has_struck(folder) and len(said.splitlines()) < 1:
                    raise Found("status %d without a word" % status)
                if status != 0 and not has_struck(folder):
                    raise Found("status %d, but nothing failed: %s" % (status, said[-2000:]))
                if call[0] not in REMOVALS:
                    until(lambda: not run.left(), "a clean end", 5 * SLOW)
            except AssertionError as problem:
                raise Found("%s: %s %s" % (problem, run.left(), run.text("err")[-2000:])) from problem
            finally:
                run.clear()
                run.process.kill()
                run.process.wait()
        self.sweep(program, SERVER_CALLS if program == "zproc-server" else CALLS, one)

    def test_run_supervisor(self):
        self.run_of("zproc-run")

    def test_run_supervisor_rich(self):
        self.run_of("zproc-run", RICH)

    def test_run_server_rich(self):
        self.run_of("zproc-server", RICH)

    def test_run_server(self):
        self.run_of("zproc-server")

    def test_run_guardian(self):
        self.run_of("zproc")


if __name__ == "__main__":
    unittest.main(verbosity=2)
