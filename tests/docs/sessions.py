#!/usr/bin/env python3
"""Runs the examples of the manual pages: each *.session is typed into a bash of its own, in a folder with the
pages' manifests, with a server of its own, and must print exactly what it shows; only times in the output of
'zproc run' may differ, and what pads them. Usage: sessions.py BIN FILE..."""

import glob
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 20
DONE = b"\x1e"
# Reads commands from descriptor 9, so that what they start has no standard input to eat.
DRIVER = r"""exec 2>&1
while IFS= read -r -d '' -u 9 command; do
  (exit "${status:-0}"); eval "$command" 9<&-
  status=$?; printf '\x1e'
done"""


def parse(path):
    """[(command, expected output)]"""
    steps = []
    for line in open(path, encoding="utf-8"):
        if line.startswith("$ "):
            steps.append([line[2:].rstrip("\n"), ""])
        elif line.startswith("> "):
            steps[-1][0] += "\n" + line[2:].rstrip("\n")
        else:
            steps[-1][1] += line
    return steps


class Shell:
    def __init__(self, binaries, folder):
        take, self.give = os.pipe()
        env = {k: v for k, v in os.environ.items() if not k.startswith("ZPROC_")}
        env.update(PATH=f"{binaries}:{env['PATH']}", XDG_RUNTIME_DIR=folder, LC_ALL="C.UTF-8")
        self.server = subprocess.Popen([f"{binaries}/zproc", "server"], env=env, stdout=subprocess.PIPE, text=True)
        env["ZPROC_ADDRESS"] = self.server.stdout.readline().strip()
        # The shell's children are a group of their own, ended together.
        self.process = subprocess.Popen(
            ["bash", "--norc", "-c", DRIVER + "\n"], cwd=folder, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, start_new_session=True, preexec_fn=lambda: os.dup2(take, 9), pass_fds=(9,))
        os.close(take)
        self.left = b""

    def read(self, finished):
        """Output up to where `finished` holds."""
        end = time.monotonic() + DEADLINE_S
        got, self.left = self.left, b""
        while not finished(got):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                return got, False
            got += more
        return got, True

    def run(self, command, expected):
        os.write(self.give, command.encode() + b"\0")
        background = command.endswith("&")
        want = len(expected.encode()) + len(DONE) if background else 0
        got, fine = self.read(lambda text: DONE in text and len(text) >= want)
        return got.replace(DONE, b"").decode(), fine

    def close(self):
        os.close(self.give)
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.server.kill()
        self.server.wait()
        self.server.stdout.close()


def steady(command, output):
    if not command.startswith("zproc run"):
        return output
    times = re.sub(r"\b\d+(\.\d+)?(ms|s)\b", "TIME", output)
    return "".join(re.sub(r" {2,}", "  ", line).rstrip() + "\n" for line in times.splitlines())


def check(binaries, path):
    with tempfile.TemporaryDirectory(prefix="zd") as folder:
        for manifest in glob.glob(os.path.dirname(path) + "/*.yaml"):
            shutil.copy(manifest, folder)
        shell = Shell(binaries, folder)
        try:
            for command, expected in parse(path):
                output, fine = shell.run(command, expected)
                if steady(command, output) != steady(command, expected) or not fine:
                    print(f"{path}: $ {command}\nexpected:\n{expected}got{'' if fine else ' (no end)'}:\n{output}")
                    return False
        finally:
            shell.close()
    return True


def main():
    binaries, paths = os.path.abspath(sys.argv[1]), sys.argv[2:]
    failed = [path for path in paths if not check(binaries, path)]
    print(f"{len(paths) - len(failed)} of {len(paths)} examples print what the pages show")
    return 1 if failed or not paths else 0


sys.exit(main())
