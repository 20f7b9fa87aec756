#!/usr/bin/env python3
"""Runs the examples of zproc-protocol(7) with a stock ZeroMQ client: frames that are sent and what comes back,
and the client in Python. Usage: protocol.py BIN FOLDER"""

import os
import re
import subprocess
import sys
import tempfile

try:
    import zmq
except ImportError:
    print("skipped: python3-zmq is not installed")
    sys.exit(77)


def exchanges(path):
    """[(frames sent, frames that come back)]"""
    sent, back = [], []
    for line in open(path, encoding="utf-8"):
        if line.startswith("> "):
            if back:
                yield sent, back
                sent, back = [], []
            sent.append(line[2:-1])
        elif line.startswith("< "):
            back.append(line[2:-1])
    yield sent, back


def steady(frame):
    return re.sub(r'"time":\d+', '"time":0', frame)


def check_frames(address, path):
    socket = zmq.Context.instance().socket(zmq.REQ)
    socket.setsockopt(zmq.RCVTIMEO, 20000)
    socket.setsockopt(zmq.LINGER, 0)
    socket.connect(address)
    for sent, expected in exchanges(path):
        socket.send_multipart([frame.encode() for frame in sent])
        got = [frame.decode() for frame in socket.recv_multipart()]
        if [steady(frame) for frame in got] != [steady(frame) for frame in expected]:
            sys.exit(f"{path}: {sent}\nexpected: {expected}\ngot: {got}")
    socket.close()


def check_client(address, path):
    env = dict(os.environ, ZPROC_ADDRESS=address)
    output = subprocess.run([sys.executable, path], env=env, timeout=60, check=True, stdout=subprocess.PIPE).stdout
    if output != b"ordered\n1\n":
        sys.exit(f"{path} printed {output}")


def with_server(binaries, folder, check, path):
    server = subprocess.Popen([f"{binaries}/zproc", "server", "--address", f"ipc://{folder}/s"],
                              stdout=subprocess.PIPE, text=True)
    try:
        check(server.stdout.readline().strip(), path)
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


binaries, examples = os.path.abspath(sys.argv[1]), sys.argv[2]
with tempfile.TemporaryDirectory(prefix="zd") as folder:
    for name, check in (("frames.txt", check_frames), ("watch.txt", check_frames), ("client.py", check_client)):
        with_server(binaries, folder, check, f"{examples}/{name}")
        print(f"{name}: as the page shows")
