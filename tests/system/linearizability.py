"""Wing and Gong's search: is there an order of these calls, each within the time from its begin to its answer, that a sequential model allows?

A call is (begin, end, what); an `end` of None is a call whose outcome is unknown: it may have had its effect at any time after its begin, or
never. A model answers for (state, what) the state after it, or None when the call cannot be answered like that in this state; states are
hashable. What was tried in vain (the set of calls done, and the state) is remembered, so that a history of n calls with c at a time costs about
n * 2^c steps at worst; a call that changes nothing is taken as soon as it fits, which loses no order.
"""

from typing import NamedTuple

INFINITE = float("inf")
MOST_STEPS = 300_000


class Call(NamedTuple):
    begin: int
    end: int | None
    what: object


class Verdict(NamedTuple):
    # "linearizable", "not linearizable", or "undecided" when the search was given up.
    word: str
    # A witness: (call, state after it) in order; of a history that is not linearizable, the longest one found.
    order: list
    # Calls that did not fit behind the longest order: where to look first.
    stuck: list
    steps: int


class Search:
    def __init__(self, calls, model, initial):
        self.calls = sorted(calls, key=lambda call: (INFINITE if call.end is None else call.end, call.begin))
        self.model = model
        self.initial = initial
        self.definite = sum(1 << number for number, call in enumerate(self.calls) if call.end is not None)
        self.steps = 0

    def candidates(self, done):
        """Numbers of calls that may come next: none of the others was answered before they began. In order of their answers."""
        first_answer = INFINITE
        found = []
        for number, call in enumerate(self.calls):
            if done >> number & 1:
                continue
            if call.end is not None and first_answer == INFINITE:
                first_answer = call.end  # They are in order of their ends.
            if call.begin <= first_answer:
                found.append(number)
        return found

    def take_what_changes_nothing(self, done, state, order):
        moved = True
        while moved:
            moved = False
            for number in self.candidates(done):
                self.steps += 1
                if self.calls[number].end is not None and self.model(state, self.calls[number].what) == state:
                    done |= 1 << number
                    order = (order, number, state)
                    moved = True
        return done, order

    def run(self):
        seen = set()
        longest = (0, 0, None, self.initial)
        stack = [(0, self.initial, None)]
        while stack:
            done, state, order = stack.pop()
            done, order = self.take_what_changes_nothing(done, state, order)
            count = (done & self.definite).bit_count()
            if count >= longest[0]:
                longest = (count, done, order, state)
            if done & self.definite == self.definite:
                return Verdict("linearizable", self._unroll(order), [], self.steps)
            if (done, state) in seen:
                continue
            seen.add((done, state))
            if self.steps > MOST_STEPS:
                return Verdict("undecided", self._unroll(longest[2]), [], self.steps)
            # The last one pushed is tried first: the one that was answered first.
            for number in reversed(self.candidates(done)):
                self.steps += 1
                after = self.model(state, self.calls[number].what)
                if after is not None and after != state:
                    stack.append((done | 1 << number, after, (order, number, after)))
        stuck = [self.calls[number] for number in self.candidates(longest[1])]
        return Verdict("not linearizable", self._unroll(longest[2]), stuck, self.steps)

    def _unroll(self, order):
        found = []
        while order:
            order, number, state = order
            found.append((self.calls[number], state))
        return found[::-1]


def check(calls, model, initial):
    return Search(calls, model, initial).run()
