"""Whether a concurrent history of one key is linearizable: the search of Wing and Gong with a memory of the
configurations that led nowhere. An operation of unknown outcome may take effect once, late, or never."""
from dataclasses import dataclass

ABSENT = "(absent)"  # the state of a key that does not exist; no test stores this text
UNKNOWN = "(unknown)"  # the result of an operation that was never answered
NEVER = float("inf")

NOT_FOUND, CONFLICT, TYPE = "error not_found", "error conflict", "error type"


@dataclass(frozen=True)
class Op:
    name: str
    args: tuple
    call: float
    end: float
    result: object
    who: str = ""

    def __str__(self):
        return "%.6f to %.6f %s: %s%r -> %r" % (self.call, self.end, self.who, self.name, self.args, self.result)


def number(state):
    return isinstance(state, (int, float)) and not isinstance(state, bool)


def do_get(state):
    return state, NOT_FOUND if state == ABSENT else state


def do_has(state):
    return state, state != ABSENT


def do_set(_, value):
    return value, None


def do_del(state):
    return ABSENT, NOT_FOUND if state == ABSENT else None


def do_cas(state, old, new):
    return (new, new) if state == old and state != ABSENT else (state, CONFLICT)


def do_create(state, new):
    return (new, new) if state == ABSENT else (state, CONFLICT)


def do_incr(state, step=1):
    if state == ABSENT:
        return step, step
    return (state + step, state + step) if number(state) else (state, TYPE)


def do_setdefault(state, value):
    return (value, value) if state == ABSENT else (state, state)


def do_pop(state, *default):
    if state == ABSENT:
        return state, default[0] if default else NOT_FOUND
    return ABSENT, state


def do_atomic(state, step):
    """KEY = KEY + step"""
    if state == ABSENT:
        return state, NOT_FOUND
    return (state + step, state + step) if number(state) else (state, TYPE)


def do_txn(state, limit, step, other):
    """if KEY < limit then KEY = KEY + step else KEY = other; answers whether the condition held"""
    return (state + step, True) if number(state) and state < limit else (other, False)


STEPS = {"get": do_get, "has": do_has, "set": do_set, "del": do_del, "cas": do_cas, "create": do_create,
         "incr": do_incr, "setdefault": do_setdefault, "pop": do_pop, "atomic": do_atomic, "txn": do_txn}
READS = {"get", "has"}


class Search:
    """Known operations in the order of their calls; `low` is the first that has no place yet, `ahead` the bits
    of those behind it that have one, `maybe` the bits of the unknown ones that took effect."""

    def __init__(self, history):
        self.known = sorted((op for op in history if op.result is not UNKNOWN), key=lambda op: op.call)
        self.unknown = sorted((op for op in history if op.result is UNKNOWN and op.name not in READS),
                              key=lambda op: op.call)
        self.seen = set()
        self.furthest = 0

    def window(self, low, ahead):
        """Known operations that may come next, and the time by which one of them must."""
        choices, limit = [], NEVER
        for index in range(low, len(self.known)):
            op = self.known[index]
            if op.call > limit:
                break
            if not ahead >> (index - low) & 1:
                choices.append(index)
                limit = min(limit, op.end)
        return [index for index in choices if self.known[index].call <= limit], limit

    def moves(self, low, ahead, maybe, state):
        choices, limit = self.window(low, ahead)
        for index in choices:
            op = self.known[index]
            after, result = STEPS[op.name](state, *op.args)
            if result != op.result or type(result) is not type(op.result):
                continue
            bits, first = ahead | 1 << (index - low), low
            while bits & 1:
                bits, first = bits >> 1, first + 1
            yield first, bits, maybe, after
        tried = set()
        for index, op in enumerate(self.unknown):
            if op.call > limit:
                break
            if maybe >> index & 1 or (op.name, op.args) in tried:
                continue
            tried.add((op.name, op.args))  # the earliest of several equal ones stands for all
            after = STEPS[op.name](state, *op.args)[0]
            if after != state:
                yield low, ahead, maybe | 1 << index, after

    def run(self, state):
        start = (0, 0, 0, state)
        if not self.known:
            return True
        stack = [self.moves(*start)]
        while stack:
            configuration = next(stack[-1], None)
            if configuration is None:
                stack.pop()
            elif configuration not in self.seen:
                self.seen.add(configuration)
                self.furthest = max(self.furthest, configuration[0])
                if configuration[0] == len(self.known):
                    return True
                stack.append(self.moves(*configuration))
        return False


def explain(history, state=ABSENT):
    """None when the history is linearizable; else the operations around the place where no order fits."""
    search = Search(history)
    if search.run(state):
        return None
    near = search.known[max(0, search.furthest - 8):search.furthest + 12]
    return "no order of the operations explains the answers; around %d of %d:\n%s\nunknown:\n%s" % (
        search.furthest, len(search.known), "\n".join(map(str, near)), "\n".join(map(str, search.unknown)))


def linearizable(history, state=ABSENT):
    return explain(history, state) is None
