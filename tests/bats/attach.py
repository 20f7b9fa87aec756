#!/usr/bin/env python3
"""Drives `zproc attach` on terminals of its own. Usage: attach.py; needs zproc in PATH and an empty folder."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

DEADLINE = 20
MANIFEST = """\
version: 1
run: {fail: keep-going}
workers:
  shell: {run: [sh], tty: true, env: {PS1: "ready> "}, stop: {signal: SIGHUP}}
  other: {run: [sh, -c, "tty; stty size; echo TERM=$TERM; exec cat"], tty: true, stop: {signal: SIGHUP}}
  scroll: {run: "seq 1 1000; exec sleep 100", tty: true}
  plain: {run: sleep 100, service: true}
  hold: {run: sleep 100}
"""


class Attached:
    """zproc attach on a terminal."""

    def __init__(self, *args, rows=30, columns=100):
        self.master, slave = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(["zproc", "attach", *args], stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.seen = b""

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text)

    def expect(self, text):
        """Waits for text, and forgets what came up to it."""
        end = time.monotonic() + DEADLINE
        while text not in self.seen:
            assert time.monotonic() < end, f"no {text!r} in {self.seen!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)
        before, _, self.seen = self.seen.partition(text)
        return before

    def ends(self, status):
        end = time.monotonic() + DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.seen!r}"
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        assert self.process.returncode == status, f"status {self.process.returncode}, not {status}: {self.seen!r}"
        assert termios.tcgetattr(self.slave) == self.before, "the terminal was not restored"
        os.close(self.slave)
        os.close(self.master)


def ps(name):
    return subprocess.run(["zproc", "ps", name], stdout=subprocess.PIPE, text=True, check=False).stdout


def main():
    with open("zproc.yaml", "w", encoding="utf-8") as file:
        file.write(MANIFEST)
    subprocess.run(["zproc", "up", "-q", "--wait"], check=True, stdout=subprocess.DEVNULL)

    first = Attached("shell")
    first.type(b"stty size\n")
    first.expect(b"30 100")
    second = Attached("shell", rows=33, columns=90)
    second.expect(b"30 100")  # what was on the screen before
    second.type(b"echo typed by $((1 + 1))\n")
    first.expect(b"typed by 2")
    second.expect(b"typed by 2")
    first.size(40, 120)
    first.type(b"until stty size | grep '40 120'; do sleep 0.05; done\n")
    first.expect(b"\n40 120")
    first.type(b"\x10x")  # not the whole of the keys: handed on
    first.type(b"\x10\x11")
    first.ends(0)
    assert b"detached; 'shell' goes on" in first.seen, first.seen
    assert " ready " in ps("shell")

    # ctrl-c is the worker's, not ours.
    second.type(b"\x15sh -c 'echo begun $((2 + 3)); exec sleep 100'\n")
    second.expect(b"begun 5")  # it is in the foreground by now
    second.type(b"\x03")
    second.type(b"echo still $((40 + 2))\n")
    second.expect(b"still 42")

    own = Attached("--detach-keys", "ctrl-]", "other")
    own.expect(b"/dev/pts/")
    own.expect(b"TERM=")
    own.type(b"\x10\x11")
    own.type(b"here\n")
    own.expect(b"here")
    own.type(b"\x1d")
    own.ends(0)

    # The last screenful and no more.
    screen = Attached("scroll", rows=10)
    screen.expect(b"1000")
    screen.type(b"\x10\x11")
    screen.ends(0)
    late = Attached("scroll", rows=10)
    seen = late.expect(b"1000")
    assert b"995" in seen and b"980" not in seen, seen
    # Signals end it with the terminal as it was.
    late.process.send_signal(signal.SIGTERM)
    late.ends(143)

    # The worker's end is ours, with its status.
    second.type(b"exit 7\n")
    second.ends(7)
    gone = Attached("shell")
    gone.ends(7)

    # The end of the run.
    last = Attached("other")
    last.expect(b"here")
    down = subprocess.Popen(["zproc", "down"])
    last.ends(129)
    assert down.wait() == 7
    print("attached and detached")


try:
    main()
finally:
    subprocess.run(["zproc", "down"], stderr=subprocess.DEVNULL, check=False)
sys.exit(0)
