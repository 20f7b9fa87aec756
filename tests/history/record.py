"""Records what concurrent clients did: each is a process of its own that notes every call before it is sent and
every answer, so that nothing is lost when it is killed."""
import json
import os
import random
import signal
import sys
import time
import traceback

from linear import CONFLICT, NEVER, NOT_FOUND, TYPE, UNKNOWN, Op
from link import LOST, Client, Link, Refused, link_until

ERRORS = {"not_found": NOT_FOUND, "conflict": CONFLICT, "type": TYPE}
KEYS = 4  # that are busy at a time
PAUSE = 0.002  # seconds at most between two operations of a client
EPOCH = 0.25  # seconds until others are: bounds the history of one key


def spawn(work):
    """Runs work() in a process of its own; its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def join(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Notes:
    """A file of lines that is complete up to the moment its process is killed."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, *fields):
        os.write(self.fd, json.dumps(fields).encode() + b"\n")

    @staticmethod
    def read(path):
        with open(path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]


def choose(rng, unique, seen, extra):
    """An operation on one key: (name, args)."""
    value = unique()
    choices = [("get", ()), ("get", ()), ("has", ()), ("set", (value,)), ("incr", (rng.choice((1, 3)),)), ("del", ()),
               ("cas", (seen, value)), ("create", (value,)), ("setdefault", (value,)), ("pop", ()), ("pop", (value,))]
    if "atomic" in extra:
        choices.append(("atomic", (rng.choice((1, 3)),)))
    if "txn" in extra:
        choices.append(("txn", (value, 1, value)))
    return rng.choice(choices)


def ask(call, write, key, name, args):
    """Sends one operation; (revision, result)."""
    if name in ("get", "has"):
        got = call(name, key=key)
    elif name == "cas":
        got = write("cas", list(args), key=key)
    elif name == "create":
        got = write("cas", args[0], key=key, absent=True)
    elif name == "del":
        got = write("del", key=key)
    elif name == "atomic":
        got = write("atomic", assign="%s = %s + %d" % (key, key, args[0]))
    elif name == "txn":
        limit, step, other = args
        got = write("txn", **{"if": ["%s < %d" % (key, limit)], "then": "%s = %s + %d" % (key, key, step),
                              "else": "%s = %d" % (key, other)})
        return got["rev"], got["held"]
    else:
        got = write(name, *args, key=key)
    return got["rev"], got["value"]


def client_run(path, notes_path, number, end, resend, extra, allow):
    """One client: random operations until the time is over. Without resend a lost connection leaves the outcome
    unknown and a new client goes on."""
    notes, rng, count, seen = Notes(notes_path), random.Random(number), 0, 0
    numbered = Client(path) if resend else None
    link = None if resend else link_until(path)

    def unique():
        return (number * 100000 + count) * 1000

    while (now := time.monotonic()) < end:
        count += 1
        key = "k%d_%d" % (rng.randrange(KEYS), now / EPOCH)
        name, args = choose(rng, unique, seen, extra)
        notes.add("call", count, key, name, args, time.monotonic())
        try:
            rev, result = ask(*((numbered.ask, numbered.write) if resend else (link.call, link.call)), key, name, args)
        except Refused as refused:
            if refused.unknown:
                continue
            if refused.code not in ERRORS:
                if not allow(refused):
                    raise
                notes.add("drop", count)
                continue
            rev, result = None, ERRORS[refused.code]
        except LOST:
            if resend:
                raise
            link.close()
            link = link_until(path)
            continue
        notes.add("end", count, result, rev, time.monotonic())
        if isinstance(result, int) and not isinstance(result, bool):
            seen = result
        time.sleep(rng.random() * PAUSE)
    (numbered or link).close()


class Recording:
    """What all clients noted: operations by key, and the answers by time."""

    def __init__(self):
        self.keys = {}
        self.calls = []  # (call, end, revision or None, writes)
        self.acknowledged = []  # (revision, key, Op): writes that changed something or not, with an answer

    def add(self, path, who):
        ends, calls, dropped = {}, [], set()
        for line in Notes.read(path):
            if line[0] == "call":
                calls.append(line[1:])
            elif line[0] == "drop":
                dropped.add(line[1])
            else:
                ends[line[1]] = line[2:]
        for count, key, name, args, call in calls:
            if count in dropped:
                continue
            result, rev, end = ends.get(count, (UNKNOWN, None, NEVER))
            op = Op(name, tuple(args), call, end, result, who)
            self.keys.setdefault(key, []).append(op)
            if result is UNKNOWN:
                continue
            if rev is not None:
                self.calls.append((call, end, rev, name))
                if name not in ("get", "has"):
                    self.acknowledged.append((rev, key, op))

    def unknown(self):
        return sum(op.result is UNKNOWN for ops in self.keys.values() for op in ops)


def record(path, folder, seconds, clients=8, kill_clients=0.0, resend=False, extra=(), hurt=None,
           allow=lambda refused: False):
    """Lets clients work for some seconds; kill_clients: how many are killed a second; hurt() is called again and
    again meanwhile (it sleeps); allow(refused): this refusal is expected, nothing was changed. Returns a Recording and the number of kills."""
    end = time.monotonic() + seconds
    rng, files, running = random.Random(), [], {}

    def begin():
        number = len(files)
        files.append("%s/client-%d" % (folder, number))
        running[spawn(lambda: client_run(path, files[number], number + 1, end, resend, extra, allow))] = number

    for _ in range(clients):
        begin()
    kills = 0
    while time.monotonic() < end - 0.05:
        if hurt:
            hurt()
        else:
            time.sleep(rng.expovariate(kill_clients) if kill_clients else 0.05)
        if kill_clients and time.monotonic() < end - 0.05:
            victim = rng.choice(list(running))
            os.kill(victim, signal.SIGKILL)
            del running[victim]
            join(victim)
            kills += 1
            begin()
    statuses = [join(pid) for pid in list(running)]
    assert not any(statuses), "clients ended with %r" % statuses
    recording = Recording()
    for number, file in enumerate(files):
        if os.path.exists(file):
            recording.add(file, "client %d" % number)
    link = Link(path)
    for key, ops in recording.keys.items():
        call = time.monotonic()
        try:
            result = link.value("get", key=key)
        except Refused as refused:
            result = ERRORS[refused.code]
        ops.append(Op("get", (), call, time.monotonic(), result, "afterwards"))
    link.close()
    return recording, kills
