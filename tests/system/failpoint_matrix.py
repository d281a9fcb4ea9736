"""Every failpoint crossed with every operation. usage: failpoint_matrix.py [NAME...] [--operations A,B] [--seed S] [--results FILE]

First each operation runs with every failpoint marking that it was passed: what is not passed cannot be crossed with it. Then, for each failpoint
that was, the operation runs once more and the failpoint kills whoever passes it, at a pass that the seed draws; what died is started again, and then
everything that was acknowledged must be there, whatever was not must be there whole or not at all, all of it READY in the region, and the audit
chains must verify. NAMEs are failpoints or beginnings of their names. Results are kept in FILE, and a run goes on where the last one was stopped.
Exit code 0: all passed. 1: a violation. 3: invalid, a failpoint did not fire where two runs had passed it; what only one of them passed is there by chance.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import wait
from pathlib import Path

from failpoint_operations import OPERATIONS
from failpoint_world import Violation, World
from harness import BIN, ROOT, SystemFailure, wait_for

DONE_SECONDS = 30
LONG_SECONDS = 90
# What comes after an answer and is no part of being done: watermarks, audit chaining.
QUIET_SECONDS = 0.6
FIRE_ATTEMPTS = 3
BESIDES = 12


def names():
    return re.findall(r'\{"([\w.]+)", (?:true|false)\}', (ROOT / "libs/common/failpoint_names.h").read_text())


class Matrix:
    def __init__(self, directory, seed):
        self.dice = random.Random(seed)
        self.world = World(directory, self.dice)

    def start(self):
        self.world.start()
        # So many that the sweep of one is no mass delete.
        for number in range(BESIDES):
            self.world.set(f"beside-{number}", {"KEY": "beside"})
        self.world.set("beside", {"KEY": "beside"})
        self.world.set("crossed", {"KEY": "crossed"})
        self.world.deploy("agent", "image:0", "deploy", "agent", "image:0", "--secrets", "beside", "--wait=30s")
        self.world.converge()

    def passed_by(self, operation):
        """How often the operation passes each failpoint."""
        operation.prepare()
        self.world.converge()
        # What the preparation set off is none of the operation's.
        time.sleep(QUIET_SECONDS)
        self._arm("*=mark")
        operation.act()
        self._await_done(operation)
        time.sleep(QUIET_SECONDS)
        passes = self.world.failpoints.passes()
        self._recover(operation)
        return passes

    def cross(self, operation, name, passes):
        """Whether it fired."""
        operation.prepare()
        self.world.converge()
        self._arm(f"{name}=crash@{self.dice.randint(1, passes)}")
        self._act(operation, name)
        fired = name in self.world.failpoints.passes()
        self._recover(operation)
        return fired

    def _arm(self, text):
        self.world.failpoints.forget_fired()
        self.world.failpoints.arm(text, self.world.daemons)

    def _act(self, operation, name):
        """Until the failpoint fired or all is done; what died is there again then."""
        acting = self.world.aside.submit(operation.act)
        end = time.monotonic() + self._patience(operation)
        quiet_since = None
        while time.monotonic() < end:
            if name in self.world.failpoints.passes():
                # The mark comes before the kill.
                time.sleep(0.05)
                break
            done = acting.done() and self._is_done(operation)
            quiet_since = (quiet_since or time.monotonic()) if done else None
            if quiet_since and time.monotonic() - quiet_since > QUIET_SECONDS:
                break
            time.sleep(0.01)
        self.world.failpoints.arm("", self.world.daemons)
        while not acting.done():
            wait([acting], 0.3)
            # It starts its daemons itself, or hangs on one that is dead.
            if not acting.done() and name in self.world.failpoints.passes() and not operation.starts_daemons:
                self.world.revive()
        failure = acting.exception()
        # What a command says of an API that was killed below it is no violation.
        if failure and not isinstance(failure, (SystemFailure, OSError, ValueError, subprocess.TimeoutExpired)):
            raise failure

    @staticmethod
    def _patience(operation):
        return LONG_SECONDS if operation.long else DONE_SECONDS

    @staticmethod
    def _is_done(operation):
        try:
            return operation.is_done()
        except SystemFailure:
            return False

    def _await_done(self, operation):
        wait_for(lambda: self._is_done(operation), f"{operation.name} is done", self._patience(operation), 0.05)
        self.world.converge()

    def _recover(self, operation):
        try:
            self.world.revive()
        except SystemFailure as failure:
            raise Violation(f"what was killed does not start again: {failure}") from None
        try:
            operation.check()
        except SystemFailure as failure:
            raise Violation(str(failure)) from None
        self.world.converge()


class Results:
    """`operation\tname\toutcome` lines in a file; no file, and they are only counted."""

    def __init__(self, path):
        self.path = path
        self.outcomes = {}
        if path and path.exists():
            for line in path.read_text().splitlines():
                operation, name, outcome = line.split("\t")
                self.outcomes[operation, name] = outcome

    def add(self, operation, name, outcome):
        self.outcomes[operation, name] = outcome
        if self.path:
            with self.path.open("a") as file:
                file.write(f"{operation}\t{name}\t{outcome}\n")

    def __contains__(self, key):
        return key in self.outcomes

    def table(self, chosen, operations):
        """A row a name, a column an operation: p passed, . not reachable, ~ by chance, ! not fired, X violation."""
        letters = {"passed": "p", "not reachable": ".", "by chance": "~", "not fired": "!", "violation": "X"}
        width = max(map(len, chosen), default=0)
        lines = [" " * width + f" {column} {operation}" for column, operation in enumerate(operations)]
        lines.append(" " * width + " " + "".join(f"{column % 10}" for column in range(len(operations))))
        for name in chosen:
            row = "".join(letters.get(self.outcomes.get((operation, name)), " ") for operation in operations)
            lines.append(f"{name:<{width}} {row}")
        return "\n".join(lines)


def run(directory, chosen, operations, seed, results, limit=None):
    """Answers the exit code."""
    matrix = Matrix(directory, seed)
    code = 0
    try:
        matrix.start()
        for operation in operations:
            code = max(code, _cross_all(matrix, operation, chosen, results, limit))
            matrix.world.check_audit()
    except (Violation, SystemFailure) as failure:
        print(f"violation: {failure}", flush=True)
        for daemon in matrix.world.daemons:
            print(daemon.tail(8))
        code = 1
    finally:
        matrix.world.close()
    return code


def _cross_all(matrix, name_of_operation, chosen, results, limit):
    left = [name for name in chosen if (name_of_operation, name) not in results]
    if not left:
        return 0
    begin, code = time.monotonic(), 0
    traces = [Counter(matrix.passed_by(OPERATIONS[name_of_operation](matrix.world))) for _ in range(2)]
    passes = traces[0] | traces[-1]
    reached = [name for name in left if passes[name]]
    # Others are of something that went on beside it in one of the runs: a bookmark, a round of the audit trail.
    sure = traces[0] & traces[-1]
    if limit:
        reached = [name for name in reached if sure[name]]
        reached = matrix.dice.sample(reached, min(limit, len(reached)))
    fired = 0
    for name in left:
        if not passes[name]:
            results.add(name_of_operation, name, "not reachable")
    for name in reached:
        try:
            if _fires(matrix, name_of_operation, name, passes[name]):
                fired += 1
                results.add(name_of_operation, name, "passed")
            elif sure[name]:
                results.add(name_of_operation, name, "not fired")
                code = 3
            else:
                results.add(name_of_operation, name, "by chance")
        except Violation as violation:
            results.add(name_of_operation, name, "violation")
            raise Violation(f"{name} during {name_of_operation}: {violation}") from None
    print(f"{name_of_operation}: {len(left)} crossed, {fired} of {len(reached)} fired and passed, {time.monotonic() - begin:.0f} s", flush=True)
    return code


def _fires(matrix, operation, name, passes):
    for attempt in range(FIRE_ATTEMPTS):
        # Another run may pass it less often.
        if matrix.cross(OPERATIONS[operation](matrix.world), name, passes if attempt == 0 else 1):
            return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--operations", default=",".join(OPERATIONS))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    chosen = [name for name in names() if not options.names or name.startswith(tuple(options.names))]
    operations = options.operations.split(",")
    if unknown := [each for each in operations if each not in OPERATIONS]:
        parser.error(f"no such operations: {unknown}; there are {', '.join(OPERATIONS)}")
    if not chosen:
        parser.error("no failpoint has such a name; libs/common/failpoint_names.h lists them")
    print(f"failpoints: {len(chosen)} names, {len(operations)} operations, seed={options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="failpoints-", dir=BIN.parent))
    results = Results(options.results)
    code = run(directory, chosen, operations, options.seed, results)
    print(results.table(chosen, operations))
    counts = Counter(results.outcomes.values())
    never = [name for name in chosen if not any(results.outcomes.get((operation, name)) == "passed" for operation in operations)]
    print(f"combinations: {json.dumps(counts)}; never fired: {', '.join(never) or 'none'}")
    print(f"failpoints: {['passed', 'FAILED', '', 'INVALID'][code]}, seed {options.seed}")
    if code == 0:
        shutil.rmtree(directory)
    else:
        print(f"logs: {directory}")
    return code


if __name__ == "__main__":
    sys.exit(main())
