"""The checker itself: what it must accept, what it must reject, and histories made with a known order."""
import random
import unittest

from linear import ABSENT, CONFLICT, NEVER, NOT_FOUND, STEPS, UNKNOWN, Op, linearizable


def op(call, end, result, name, *args):
    return Op(name, args, call, NEVER if result is UNKNOWN else end, result)


class Accepts(unittest.TestCase):
    def good(self, *history):
        self.assertTrue(linearizable(history))

    def test_sequences(self):
        self.good()
        self.good(op(0, 1, NOT_FOUND, "get"), op(2, 3, None, "set", 5), op(4, 5, 5, "get"), op(6, 7, 6, "incr"),
                  op(8, 9, 7, "cas", 6, 7), op(10, 11, CONFLICT, "cas", 6, 8), op(12, 13, 7, "setdefault", 1),
                  op(14, 15, 7, "pop"), op(16, 17, NOT_FOUND, "del"), op(18, 19, 9, "create", 9),
                  op(20, 21, True, "has"), op(22, 23, 11, "atomic", 2), op(24, 25, True, "txn", 20, 1, 0))

    def test_overlapping(self):
        self.good(op(0, 10, None, "set", 1), op(1, 2, NOT_FOUND, "get"), op(3, 4, 1, "get"))
        self.good(op(0, 10, 2, "incr"), op(1, 9, 1, "incr"), op(2, 8, 1, "get"))

    def test_unknown(self):
        maybe = op(0, 0, UNKNOWN, "set", 1)
        self.good(maybe)
        self.good(maybe, op(5, 6, NOT_FOUND, "get"))
        self.good(maybe, op(5, 6, 1, "get"))
        self.good(maybe, op(5, 6, NOT_FOUND, "get"), op(7, 8, 1, "get"))
        self.good(maybe, op(1, 2, None, "set", 2), op(3, 4, 2, "get"), op(5, 6, 1, "get"))
        self.good(op(0, 0, UNKNOWN, "incr"), op(0, 0, UNKNOWN, "incr"), op(1, 2, 3, "incr"))
        self.good(op(0, 0, UNKNOWN, "get"), op(1, 2, NOT_FOUND, "get"))


class Rejects(unittest.TestCase):
    def bad(self, *history):
        self.assertFalse(linearizable(history))

    def test_stale_read(self):
        self.bad(op(0, 1, None, "set", 1), op(2, 3, None, "set", 2), op(4, 5, 1, "get"))
        self.bad(op(0, 10, None, "set", 1), op(1, 2, 1, "get"), op(3, 4, NOT_FOUND, "get"))

    def test_lost_update(self):
        self.bad(op(0, 1, 1, "incr"), op(2, 3, 1, "incr"))
        self.bad(op(0, 9, 1, "incr"), op(1, 8, 1, "incr"))
        self.bad(op(0, 1, None, "set", 1), op(2, 3, 2, "cas", 1, 2), op(2, 3, 3, "cas", 1, 3))
        self.bad(op(0, 1, None, "set", 1), op(2, 3, NOT_FOUND, "get"))

    def test_duplicate(self):
        self.bad(op(0, 1, 1, "incr"), op(2, 3, 2, "get"))
        self.bad(op(0, 1, 7, "create", 7), op(2, 3, 7, "pop"), op(4, 5, 7, "pop"))
        # An unknown one may happen once, but not twice.
        self.bad(op(0, 0, UNKNOWN, "incr"), op(1, 2, 3, "incr"))
        self.bad(op(0, 0, UNKNOWN, "set", 1), op(1, 2, None, "set", 2), op(3, 4, 1, "get"), op(5, 6, 2, "get"))

    def test_never_written(self):
        self.bad(op(0, 1, None, "set", 1), op(2, 3, 9, "get"))
        self.bad(op(0, 1, 9, "get"))

    def test_before_it_was_called(self):
        self.bad(op(0, 1, 5, "get"), op(2, 3, None, "set", 5))
        self.bad(op(0, 1, 5, "get"), op(2, 3, UNKNOWN, "set", 5))

    def test_kinds_are_told_apart(self):
        self.bad(op(0, 1, None, "set", 1), op(2, 3, True, "get"))


def make(seed, count, who=8):
    """A linearizable history: each operation takes effect at a moment between its call and its end."""
    rng = random.Random(seed)
    moments = sorted((rng.random() * count, index) for index in range(count))
    free, state, history = [0.0] * who, ABSENT, []
    for moment, index in moments:
        client = rng.randrange(who)
        call = max(free[client], moment - rng.random() * 3)
        if call > moment:
            continue
        end = free[client] = moment + rng.random() * 3
        value = index * 1000  # steps of incr do not make one value out of another
        name, args = rng.choice([("get", ()), ("set", (value,)), ("incr", ()), ("del", ()), ("setdefault", (value,)),
                                 ("cas", (state, value)), ("cas", (value, value)), ("pop", (value,))])
        lost = rng.random() < 0.03
        if lost and rng.random() < 0.5:
            history.append(Op(name, args, call, NEVER, UNKNOWN))
            continue
        state, result = STEPS[name](state, *args)
        history.append(Op(name, args, call, NEVER, UNKNOWN) if lost else Op(name, args, call, end, result))
    return history


class Generated(unittest.TestCase):
    def test_good(self):
        for seed in range(20):
            self.assertTrue(linearizable(make(seed, 300)), "seed %d" % seed)

    def test_planted(self):
        """A value read long ago, read again at the end; an answer exchanged for another."""
        for seed in range(20):
            history = make(seed, 200)
            last = max(op.end for op in history if op.result is not UNKNOWN)
            values = {op.args[0] for op in history if op.name == "set"}
            known = [op for op in history if op.result is not UNKNOWN]
            never = max(values) + 10**6
            index = random.Random(seed).randrange(len(known))
            changed = known[index]
            for planted in (Op("get", (), last + 1, last + 2, never),
                            Op("get", (), changed.call, changed.end, -never)):
                self.assertFalse(linearizable(history + [planted]), "seed %d" % seed)

    def test_dropped_write(self):
        """A set whose value was read by another is taken out."""
        found = 0
        for seed in range(20):
            history = make(seed, 200)
            read = {op.result for op in history if op.name == "get"}
            victims = [op for op in history if op.name == "set" and op.args[0] in read]
            for victim in victims[:3]:
                found += 1
                self.assertFalse(linearizable([op for op in history if op is not victim]), "seed %d" % seed)
        self.assertGreater(found, 10)


if __name__ == "__main__":
    unittest.main(verbosity=2)
