#!/usr/bin/env python3
"""Checks the examples in the commands' help: each line is a shell command that zproc understands. Those that run
a manifest or a map succeed; the others get as far as looking for a server, as there is none. Usage: help.py BIN"""

import os
import subprocess
import sys
import tempfile
import time

UNREACHABLE = "no state server is known"
MANIFEST = "{version: 1, workers: {test: {run: echo a}, lint: {run: echo b}}}"


def examples(binaries, command):
    text = subprocess.run([f"{binaries}/zproc", "help", command], stdout=subprocess.PIPE, text=True, check=True).stdout
    lines = text.split("\nExamples:\n")[1:]
    return [line.strip() for line in lines[0].split("\n\n")[0].splitlines()] if lines else []


def commands(binaries):
    text = subprocess.run([f"{binaries}/zproc", "help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for block in text.split("\nGlobal options:\n")[0].split(":\n")[1:]:
        for line in block.splitlines():
            if line.startswith("  ") and line[2] != " ":
                yield line.split()[0]


def problem(env, folder, line):
    """What is wrong with it, or nothing."""
    if line.startswith("zproc server"):  # it would run for good
        return subprocess.run(["bash", "-n", "-c", line], stderr=subprocess.PIPE, text=True, timeout=60).stderr
    result = subprocess.run(["bash", "-c", line], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    while line.split()[:2] == ["zproc", "up"] and os.path.exists(f"{folder}/.zproc/address"):
        time.sleep(0.05)  # the run that it has begun ends by itself
    if line.split()[:2] == ["zproc", "up"]:
        return result.stderr if result.returncode else ""
    if line.startswith(("zproc run", "zproc check", "zproc keygen")) or ("zproc map " in line and "--task" not in line):
        return result.stderr if result.returncode else ""
    wrong = [text for text in result.stderr.splitlines() if UNREACHABLE not in text]
    return "\n".join(wrong) or ("" if UNREACHABLE in result.stderr else "it asks no server")


def main():
    binaries = os.path.abspath(sys.argv[1])
    env = {name: value for name, value in os.environ.items() if not name.startswith("ZPROC_")}
    env.update(PATH=f"{binaries}:{env['PATH']}", ZPROC_ADDRESS="none", NAME="x")
    bad = count = 0
    with tempfile.TemporaryDirectory(prefix="zd") as folder:
        env["HOME"] = folder
        for name, text in (("config.json", "{}"), ("state.json", "{}"), ("state.jsonl", '{"ns": "a", "key": "k", "value": 1}'), ("build.log", "done\n"), ("names", "a\nb\n"), ("zproc.yaml", MANIFEST), ("ci.yaml", MANIFEST)):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        for command in commands(binaries):
            lines = examples(binaries, command)
            if not lines:
                print(f"{command} has no example")
            for line in lines:
                count += 1
                wrong = problem(env, folder, line)
                if wrong:
                    print(f"{command}: {line}: {wrong}")
                    bad += 1
    print(f"{count} examples, {bad} wrong")
    return 1 if bad or not count else 0


sys.exit(main())
