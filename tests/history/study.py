"""What is asked of a recording: each key alone, all of them by their revisions, and against the server's log."""
import os
import tempfile
import unittest

from linear import explain
from link import log_of

SECONDS = float(os.environ.get("ZPROC_HISTORY_SECONDS", "2"))
EXTRA = ("atomic", "txn")


def check(test, recording):
    """Each key alone, then all of them by their revisions."""
    count = 0
    for key, ops in recording.keys.items():
        why = explain(ops)
        test.assertIsNone(why, "key %s: %s" % (key, why))
        count += len(ops)
    # A revision that was answered before a request was sent is not above the one that answers it.
    events = sorted([(call, 0, i) for i, (call, _, _, _) in enumerate(recording.calls)] +
                    [(end, 1, i) for i, (_, end, _, _) in enumerate(recording.calls)])
    floor, below = 0, {}
    for _, ended, index in events:
        rev = recording.calls[index][2]
        if ended:
            test.assertGreaterEqual(rev, below[index], "the revision went back")
            floor = max(floor, rev)
        else:
            below[index] = floor
    revisions = [rev for rev, _, _ in recording.acknowledged]
    test.assertEqual(len(revisions), len(set(revisions)), "a revision was given twice")
    return count


def check_log(test, path, recording):
    """Every acknowledged write is in the log, with its revision, its key and its value."""
    log = {rev: event for rev, event in log_of(path, duplicates=True)}
    for rev, key, op in recording.acknowledged:
        if (op.name == "pop" and op.args == (op.result,)) or (op.name == "setdefault" and op.args != (op.result,)):
            continue  # changed nothing
        event = log.get(rev)
        test.assertTrue(event, "revision %d was acknowledged, but is not in the log: %s" % (rev, op))
        if event["identical"]:
            continue
        change, = event["changes"]
        test.assertEqual(change["key"], key, op)
        if op.name in ("set", "incr", "cas", "create"):
            test.assertEqual(change["value"], op.args[0] if op.name == "set" else op.result, op)
    return len(log)


class Studied(unittest.TestCase):
    """A test that records histories."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="zproc-history-")
        self.addCleanup(self.folder.cleanup)

    def study(self, server, recording, kills):
        count = check(self, recording)
        logged = check_log(self, server.path, recording)
        print("%d operations, %d of unknown outcome, on %d keys; %d acknowledged writes, %d in the log; "
              "%d clients and %d servers killed" % (count, recording.unknown(), len(recording.keys),
                                                    len(recording.acknowledged), logged, kills, server.kills))
        self.assertGreater(len(recording.acknowledged), 100)
