"""Real processes that misbehave, and kill -9 of every part of a run: the exit status is right, the end comes, and
nothing is left: no process, no socket, no record, no descriptor.
ZPROC_FLOOD_MB (1024), ZPROC_EXITS (10000), ZPROC_ROUNDS (5) of kills, ZPROC_IDLE_S (10), ZPROC_SEED."""
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest
import uuid

BIN = os.environ["ZPROC_BIN"]
FLOOD_MB = int(os.environ.get("ZPROC_FLOOD_MB", "1024"))
EXITS = int(os.environ.get("ZPROC_EXITS", "10000"))
ROUNDS = int(os.environ.get("ZPROC_ROUNDS", "5"))
IDLE_S = float(os.environ.get("ZPROC_IDLE_S", "10"))
SEED = int(os.environ.get("ZPROC_SEED", random.randrange(1 << 30)))
SLOW = 5 if os.environ.get("ZPROC_SANITIZED") else 1
PATIENCE = 60
LEFT_S = 5  # until what should have ended counts as left


def until(condition, what, patience=PATIENCE):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("%s did not come about in %d s" % (what, patience))
        time.sleep(0.005)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def children(pid):
    return [int(child) for child in read("/proc/%d/task/%d/children" % (pid, pid)).split()]


def is_zombie(pid):
    return b") Z " in read("/proc/%d/stat" % pid)


def is_socket(path):
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


class Run:
    """A run in a folder of its own; every process below it has a mark in its environment."""

    def __init__(self, folder, manifest, *arguments, environment=(), before=None, stdout=None, user=None):
        self.folder, self.mark = folder, str(uuid.uuid4())
        self.runtime = tempfile.mkdtemp(dir=folder)
        with open(folder + "/zproc.yaml", "w") as file:
            file.write("version: 1\n" + manifest)
        env = {k: v for k, v in os.environ.items() if not k.startswith("ZPROC_")}
        env.update(PATH=BIN + ":" + env["PATH"], ZPROC_TORTURE=self.mark, TMPDIR=self.runtime,
                   XDG_RUNTIME_DIR=self.runtime, **dict(environment))
        self.err = open(folder + "/err", "w+b")
        self.out = stdout or open(folder + "/out", "w+b")
        if user:  # before anything of it looks there
            os.chown(self.runtime, user, user)
        self.process = subprocess.Popen([BIN + "/zproc", "run", *arguments], cwd=folder, env=env, preexec_fn=before,
                                        stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err)

    @property
    def pid(self):
        return self.process.pid

    def supervisor(self):
        until(lambda: children(self.pid) or self.process.poll() is not None, "a supervisor")
        return (children(self.pid) or [0])[0]

    def server(self):
        def find():
            return [pid for pid in children(self.supervisor()) if b"zproc-server" in read("/proc/%d/cmdline" % pid)]
        until(lambda: find() or self.process.poll() is not None, "a server")
        return (find() or [0])[0]

    def wait(self, patience=PATIENCE):
        return self.process.wait(patience)

    def text(self, name):
        return read(self.folder + "/" + name).decode(errors="replace")

    def has(self, name):
        return os.path.exists(self.folder + "/" + name)

    def living(self):
        mark = ("ZPROC_TORTURE=" + self.mark).encode()
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        return [pid for pid in pids if mark in read("/proc/%d/environ" % pid).split(b"\0") and not is_zombie(pid)]

    def left(self):
        """What is there that should not be."""
        names = [" ".join((str(pid), read("/proc/%d/cmdline" % pid).replace(b"\0", b" ").decode(errors="replace")))
                 for pid in self.living()]
        for folder, _, files in os.walk(self.folder):
            names += [folder + "/" + file for file in files if is_socket(folder + "/" + file)]
        for folder, _, files in os.walk(self.runtime):  # the user's own folder there stays, for the next run
            names += [folder + "/" + file for file in files]
        return names + [".zproc/address"] * self.has(".zproc/address")

    def clear(self):
        self.err.close()
        if self.out != subprocess.DEVNULL:
            self.out.close()
        for pid in self.living():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Torture(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="zproc-torture-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def start(self, manifest, *arguments, files=(), **options):
        folder = tempfile.mkdtemp(dir=self.folder)
        os.chmod(folder, 0o777)
        for name, content in dict(files).items():
            with open(folder + "/" + name, "wb") as file:
                file.write(content)
        run = Run(folder, manifest, *arguments, **options)
        self.addCleanup(run.clear)
        return run

    def ends(self, run, *statuses, patience=PATIENCE):
        status = run.wait(patience)
        self.assertIn(status, statuses, run.text("err")[-3000:])
        try:
            until(lambda: not run.left(), "a clean end", LEFT_S * SLOW)
        except AssertionError:
            self.fail("left behind: %s\n%s" % (run.left(), run.text("err")[-3000:]))

    def stop(self, run, number=signal.SIGTERM):
        run.process.send_signal(number)

    # ---- Workers that do not want to end ----

    def test_ignores_sigterm(self):
        run = self.start("""
workers:
  w: {run: "trap '' TERM INT HUP; touch up; while :; do sleep 0.1 || :; done", stop: {grace: 300ms}}
""")
        until(lambda: run.has("up"), "the worker")
        began = time.monotonic()
        self.stop(run)
        self.ends(run, 143)
        self.assertGreaterEqual(time.monotonic() - began, 0.3)

    def test_leaves_its_group(self):
        """Double forks, setsid, other names, no standard descriptors; some ignore SIGTERM."""
        run = self.start("""
workers:
  w:
    run: |
      setsid sh -c "(trap '' TERM; setsid sleep 1000 >/dev/null 2>&1 </dev/null & touch one)" &
      (setsid sh -c "trap '' TERM HUP; exec >&- 2>&- <&-; touch two; while :; do sleep 1000; done" &)
      (sleep 1000 & touch three) &
      sleep 1000 &
      until test -e one && test -e two && test -e three; do sleep 0.02; done
      touch up; exec sleep 1000
    stop: {grace: 300ms}
  after: {run: 'until test -e up; do sleep 0.02; done; sleep 0.1', needs: {w: started}}
""")
        until(lambda: run.has("up"), "the worker")
        self.stop(run)
        self.ends(run, 143)

    def test_leaves_daemons_behind_by_itself(self):
        run = self.start("""
workers:
  w: {run: "(setsid sh -c 'trap \\"\\" TERM; touch up; sleep 1000; sleep 1000' &); until test -e up; do sleep 0.02; done; echo last"}
""")
        self.ends(run, 0)
        self.assertIn("w | last", run.text("out"))

    def test_a_held_pipe_holds_nobody_up(self):
        run = self.start("""
workers:
  w: {run: "sleep 1000 & printf 'the last line'; exit 5", retry: {max: 1, delay: 0}}
""")
        began = time.monotonic()
        self.ends(run, 5)
        self.assertLess(time.monotonic() - began, 20 * SLOW)
        self.assertEqual(run.text("out").count("w | the last line"), 2)

    def test_closed_outputs(self):
        run = self.start("""
workers:
  w: {run: "exec >&- 2>&-; sleep 0.1; exit 3"}
""")
        self.ends(run, 3)

    def test_stopped_processes(self):
        """SIGTERM reaches who is stopped, at once; also a stopped daemon is ended."""
        run = self.start("""
workers:
  w:
    run: |
      (setsid sh -c 'touch one; kill -STOP $$; sleep 1000' &)
      until test -e one; do sleep 0.02; done
      touch up; kill -STOP $$; exec sleep 1000
    stop: {grace: 100s}
""")
        until(lambda: run.has("up"), "the worker")
        self.stop(run)
        self.ends(run, 143, patience=30)

    # ---- Output ----

    def test_flood(self):
        """Gigabytes pass through in bounded memory, also to a terminal that is slow."""
        run = self.start("""
workers:
  w: {run: "yes 'a line of about sixty-four bytes, as programs print them today' | head -c %dM"}
  v: {run: "head -c %dM /dev/zero"}
""" % (FLOOD_MB // 2, FLOOD_MB - FLOOD_MB // 2), "--fail", "keep-going", stdout=subprocess.DEVNULL)
        pid, peak = run.supervisor(), 0
        while run.process.poll() is None:
            for line in read("/proc/%d/status" % pid).splitlines():
                if line.startswith(b"VmHWM"):
                    peak = int(line.split()[1])
            time.sleep(0.05)
        self.ends(run, 0)
        self.assertLess(peak, 48 * 1024 * SLOW * SLOW, "kB of memory")
        logs = run.folder + "/.zproc/logs/latest"
        self.assertLess(sum(os.path.getsize(logs + "/" + name) for name in os.listdir(logs)), 140 << 20)

    def test_strange_bytes(self):
        bytes = random.Random(SEED).randbytes(500000) + b"\0\xff\xfe\xc3\n\xed\xa0\x80no newline\0"
        manifest = """
workers:
  w: {run: "cat bytes", log: {timestamps: false}}
  v: {run: "cat bytes >&2; exit 4"}
"""
        for mode in ("json", "prefix", "raw", "group"):
            run = self.start(manifest, "--output", mode, "--fail", "keep-going", files={"bytes": bytes})
            self.assertEqual(run.wait(), 4)
            self.assertEqual(read(run.folder + "/.zproc/logs/latest/w.log"), bytes)
            if mode == "json":
                for line in read(run.folder + "/out").split(b"\n")[:-1]:
                    json.loads(line.decode())

    def test_many_quick_exits(self):
        """Each attempt is a process; the supervisor has as many descriptors and as little memory after them."""
        run = self.start("""
workers:
  w: {run: ["false"], retry: {max: %d, delay: 0}}
""" % (EXITS - 1))
        pid, seen, sizes = run.supervisor(), set(), []
        until(lambda: run.has(".zproc/address"), "the run")
        while run.process.poll() is None:
            try:
                seen.add(len(os.listdir("/proc/%d/fd" % pid)))
                sizes.append(int(read("/proc/%d/statm" % pid).split()[1]))
            except (FileNotFoundError, IndexError):
                break
            time.sleep(0.02)
        self.ends(run, 1, patience=300)
        self.assertIn("retry %d of %d" % (EXITS - 1, EXITS - 1), run.text("err"))
        self.assertLess(max(seen), 32, seen)
        self.assertLess(sizes[-1] - sizes[len(sizes) // 4], 4096 * SLOW, "pages gained")

    def test_no_descriptor_is_lost(self):
        """Over restarts with every kind of probe, log and trigger."""
        run = self.start("""
state: {n: 0}
workers:
  s:
    run: |
      python3 -c 'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.sendto(b"READY=1", "\\0" + os.environ["NOTIFY_SOCKET"][1:])'
      echo up; sleep 0.03; exit 1
    service: true
    retry: {max: null, delay: 0}
    ready: {log: up, notify: true, exec: "true", tcp: "127.0.0.1:1", http: "http://127.0.0.1:1/", when: n >= 0, every: 10ms}
    log: {file: s.log, max_size: 1KiB, keep: 1}
    files: {watch: ["*.txt"]}
    stop: {run: "true", grace: 300ms}
  t: {trigger: {change: [n]}, run: "cat >/dev/null"}
  w: {run: "for i in $(seq 40); do zproc incr n >/dev/null; sleep 0.02; done; touch half; for i in $(seq 40); do zproc incr n >/dev/null; sleep 0.02; done; touch done; sleep 1000"}
""", "--output", "quiet")
        pid = run.supervisor()

        def settled():
            """The least of some moments: what comes and goes does not count."""
            counts = []
            for _ in range(100):
                counts.append(len(os.listdir("/proc/%d/fd" % pid)))
                time.sleep(0.01)
            return min(counts)
        until(lambda: run.has("half"), "the first half")
        before = settled()
        until(lambda: run.has("done"), "the second half")
        self.assertLessEqual(settled(), before + 2)
        zombies = [child for child in children(pid) if is_zombie(child)]
        time.sleep(0.5)
        self.assertEqual([child for child in zombies if is_zombie(child)], [])
        self.stop(run)
        self.ends(run, 143)

    # ---- Commands that cannot run ----

    def test_exec_failures(self):
        cases = {"missing": (127, "[./missing]"), "no_path": (127, "[no-such-command-anywhere]"),
                 "plain": (126, "[./plain]"), "folder": (126, "[./folder]"), "interpreter": (127, "[./interpreter]"),
                 "garbage": (126, "[./garbage]"), "script": (6, "[./script]"), "below": (126, "[./plain/x]"), "nowhere": (127, "['true'], dir: gone")}
        for name, (status, command) in cases.items():
            with self.subTest(name):
                folder = tempfile.mkdtemp(dir=self.folder)
                os.mkdir(folder + "/folder")
                for file, mode, text in (("plain", 0o644, "x"), ("garbage", 0o755, "\x7fELF\0\1"), ("script", 0o755, "exit 6\n"),
                                         ("interpreter", 0o755, "#!/no/such/interpreter\n")):
                    with open(folder + "/" + file, "w") as out:
                        out.write(text)
                    os.chmod(folder + "/" + file, mode)
                run = Run(folder, "workers:\n  w: {run: %s, retry: {max: 2, delay: 0}}\n" % command)
                self.addCleanup(run.clear)
                if name == "below":
                    self.ends(run, 126, 127)
                else:
                    self.ends(run, status)
                if name != "script":
                    self.assertIn(command.strip("[]./").split("'")[0].split("/")[0], run.text("err"))

    def test_no_more_processes(self):
        """What cannot be forked fails with 125 and why, and comes about by a retry once there is room."""
        if os.getuid() != 0:
            self.skipTest("needs root, to be another user")
        user = 54321

        def become():
            resource.setrlimit(resource.RLIMIT_NPROC, (24, 24))
            os.setgid(user)
            os.setuid(user)
        manifest = """
workers:
  w: {run: [sleep, "1"], replicas: 40%s}
"""
        if subprocess.run([BIN + "/zproc", "--version"], preexec_fn=lambda: os.setuid(user), check=False,
                          stdout=subprocess.DEVNULL).returncode != 0:
            self.skipTest("another user cannot run what is built here")
        os.chmod(self.folder, 0o777)
        run = self.start(manifest % "", "--fail", "keep-going", before=become, user=user)
        self.ends(run, 125)
        self.assertIn("Resource temporarily unavailable", run.text("err"))
        self.assertIn(" succeeded, ", run.text("err"))
        run = self.start(manifest % ", retry: {max: null, delay: 100ms}", before=become, user=user)
        self.ends(run, 0)
        self.assertIn("40 succeeded", run.text("err"))

    def test_no_more_descriptors(self):
        """What cannot be started for want of descriptors fails with why; the rest goes on."""
        run = self.start("""
workers:
  w: {run: "echo up; exec sleep 1", replicas: 100}
""", "--fail", "keep-going", before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
        self.ends(run, 125)
        self.assertIn("Too many open files", run.text("err"))
        self.assertRegex(run.text("err"), r"[0-9]+ succeeded, [0-9]+ failed")

    # ---- kill -9 ----

    MANIFEST = """
state: {n: 0}
run: {stop_grace: 500ms}
workers:
  db: {run: "(setsid sleep 1000 >/dev/null 2>&1 &); trap 'exit 0' TERM; while :; do sleep 0.05; done", service: true, ready: {exec: "true", every: 20ms}}
  web: {run: "while :; do echo web; zproc incr n >/dev/null || :; sleep 0.05; done", service: true, replicas: 2, needs: [db]}
  stubborn: {run: "trap '' TERM; while :; do sleep 0.1; done", service: true}
  hook: {trigger: {change: [n], drain: false}, run: "cat >/dev/null"}
  a: {run: "sleep 0.3; echo a", needs: [db]}
  b: {run: "sleep 0.3; echo b", needs: [a], retry: {max: 5, delay: 50ms}}
"""

    def rounds(self, victim, *statuses):
        rng = random.Random("%d %s" % (SEED, victim))
        print("%s: ZPROC_SEED=%d" % (victim, SEED))
        for number in range(ROUNDS):
            with self.subTest(victim=victim, round=number, seed=SEED):
                run = self.start(self.MANIFEST, "--output", rng.choice(("prefix", "quiet", "group")))
                delay = rng.random() * 0.9
                if victim == "guardian":
                    target = run.pid
                elif victim == "supervisor":
                    target = run.supervisor()
                else:
                    target = run.server()
                time.sleep(delay)
                try:
                    if target:
                        os.kill(target, signal.SIGKILL)
                except ProcessLookupError:
                    pass
                self.ends(run, *statuses)
                if victim == "server" and run.process.returncode == 125:
                    self.assertIn("the state server ended while it was starting", run.text("err"))

    def test_kill_guardian(self):
        self.rounds("guardian", -9, 0)

    def test_kill_supervisor(self):
        self.rounds("supervisor", 125, 0)

    def test_kill_server(self):
        """Jobs that were talking to it are not hurt; the run ends as if nothing had been. One that dies before it
        serves is not tried again."""
        self.rounds("server", 0, 125)

    def test_kill_all_at_once(self):
        rng = random.Random("%d all" % SEED)
        for number in range(ROUNDS // 2 + 1):
            with self.subTest(round=number, seed=SEED):
                run = self.start(self.MANIFEST)
                supervisor, server = run.supervisor(), run.server()
                time.sleep(rng.random() * 0.9)
                for pid in rng.sample([pid for pid in (supervisor, server) if pid], 2 if supervisor and server else 0):
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                self.ends(run, 125, 0)

    def test_signals(self):
        """One to four signals, together or apart: the run ends, and at the latest at the third."""
        rng = random.Random("%d signals" % SEED)
        for number in range(ROUNDS * 2):
            with self.subTest(round=number, seed=SEED):
                run = self.start(self.MANIFEST)
                time.sleep(rng.random() * 0.6)
                first = rng.choice((signal.SIGINT, signal.SIGTERM))
                for _ in range(rng.randint(1, 4)):
                    run.process.send_signal(first)
                    time.sleep(rng.choice((0, 0.01, 0.3)))
                self.ends(run, 0, 128 + first, -first)  # -first: before the guardian was there

    # ---- Rest ----

    def test_idle(self):
        """A run in which nothing happens makes no wake-ups: no thread of it gives up the processor once."""
        run = self.start("""
workers:
  s: {run: [sleep, "1000"], service: true, ready: {exec: "true"}, files: {watch: ["*.txt"]}}
  n: {run: "echo up; exec sleep 1000", service: true, ready: {log: up}, log: {file: n.log}}
  t: {trigger: {change: [n]}, run: "true"}
  c: {run: "true", when: n > 5}
  w: {run: "touch up; exec sleep 1000", needs: [s, n]}
""")
        until(lambda: run.has("up"), "the run")
        pids = {"guardian": run.pid, "supervisor": run.supervisor(), "server": run.server()}

        def wakeups():
            counts = {}
            for name, pid in pids.items():
                for thread in os.listdir("/proc/%d/task" % pid):
                    for line in read("/proc/%d/task/%s/status" % (pid, thread)).splitlines():
                        if line.startswith(b"voluntary_ctxt_switches"):
                            counts[name + " " + thread] = int(line.split()[1])
            return counts

        def quiet(seconds):
            before = wakeups()
            time.sleep(seconds)
            return wakeups() == before
        until(lambda: quiet(1.5), "rest", 30)
        before = wakeups()
        time.sleep(IDLE_S)
        self.assertEqual(wakeups(), before)
        self.stop(run)
        self.ends(run, 143)


if __name__ == "__main__":
    unittest.main(verbosity=2)
