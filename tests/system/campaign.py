"""Real binaries under fire. usage: campaign.py --faults all|NAME,... [--cycles N] [--seed S] [--provisioners N]

In each cycle one fault strikes the API, a provisioner, or what lies between them and their clients, while history_client plays; then it heals, and something
new must become READY in every region. At the end histories and watches are checked (history.py). Exit code 0: nothing wrong. 1: a violation. 3: invalid: a fault
did not fire, or met too little load. The last line is for machines.
"""

import argparse
import collections
import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import history
from campaign_faults import FAULTS
from campaign_world import LEAST_CALLS, World
from harness import BIN, SystemFailure

CONVERGE_GOAL = 30


class Tally:
    """What became of one kind of fault."""

    def __init__(self):
        self.cycles = self.answers = 0
        self.fired = collections.Counter()
        self.misses = []
        self.converged = []

    def describe(self):
        times = sorted(self.converged) or [0]
        return {"cycles": self.cycles, "fired": sum(self.fired.values()), "answers": self.answers, "converge_median": round(times[len(times) // 2], 1),
                "converge_max": round(times[-1], 1), "slow": sum(seconds > CONVERGE_GOAL for seconds in times)}


class Campaign:
    def __init__(self, directory, seed, names, cycles, provisioners=2):
        self.names = [name for name in names for _ in range(cycles)]
        self.world = World(directory, seed, provisioners, small_disks="disk-full" in names)
        self.world.dice.shuffle(self.names)
        self.tallies = {name: Tally() for name in names}

    def run(self):
        """Strikes and heals until all is done. SystemFailure is a violation."""
        self.world.start()
        self.world.wait_for_load()
        for number, name in enumerate(self.names, 1):
            self._cycle(name)
            if number % 10 == 0 or number == len(self.names):
                print(f"{number} of {len(self.names)} faults, {self.world.answers()} calls answered", flush=True)
        self.world.converge()
        self.world.finish()
        return history.check([self.world.history, self.world.marks])

    def _cycle(self, name):
        world, fault, tally = self.world, FAULTS[name], self.tallies[name]
        tally.cycles += 1
        for daemon in (world.system.api, *world.system.provisioners.values()):
            if not daemon.pid:
                raise SystemFailure(f"{daemon.name} ended by itself\n{daemon.tail()}")
        before = world.answers()
        strike = fault.strike(world)
        fired = next(strike)
        time.sleep(world.dice.uniform(*fault.lasts))
        if fault.load_goes_on:
            world.wait_for_load(5)
        if evidence := fired():
            tally.fired[evidence] += 1
        else:
            tally.misses.append(f"seed {world.seed}, cycle {tally.cycles} of {name}")
        try:
            next(strike)
        except StopIteration:
            pass
        tally.converged.append(world.converge())
        world.wait_for_load()
        tally.answers += world.answers() - before


def run(directory, seed, names, cycles, provisioners=2):
    """(exit code, report, figures)"""
    campaign = Campaign(directory, seed, names, cycles, provisioners)
    try:
        result = campaign.run()
    except SystemFailure as failure:
        return 1, f"violation: {failure}\n", {}
    finally:
        campaign.world.close()
    lines = [f"violation: {violation}" for violation in result.violations[:20]] + [f"undecided: {name}" for name in result.undecided[:20]]
    misses = []
    for name, tally in campaign.tallies.items():
        figures = tally.describe()
        lines.append(f"{name:10} " + " ".join(f"{key}={value}" for key, value in figures.items()) + f" {dict(tally.fired.most_common(6))}")
        misses += [f"invalid: {miss} did not fire" for miss in tally.misses]
        if tally.cycles and tally.answers < tally.cycles * LEAST_CALLS:
            misses.append(f"invalid: {name} met only {tally.answers} calls")
    if not result.held or not result.accepted_deployments or result.undecided:
        misses.append("invalid: too little was compared")
    figures = {**result._asdict(), "violations": len(result.violations), "undecided": len(result.undecided),
               "faults": {name: tally.describe() for name, tally in campaign.tallies.items()}}
    return 1 if result.violations else 3 if misses else 0, "\n".join(lines + misses) + "\n", figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default="all", help=f"all, or some of {','.join(FAULTS)}")
    parser.add_argument("--cycles", type=int, default=3, help="of each fault")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--provisioners", type=int, default=2)
    options = parser.parse_args()
    names = list(FAULTS) if options.faults == "all" else options.faults.split(",")
    if unknown := set(names) - set(FAULTS):
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    print(f"campaign: faults={','.join(names)} cycles={options.cycles} seed={options.seed} provisioners={options.provisioners}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="campaign-", dir=BIN.parent))
    code, report, figures = run(directory, options.seed, names, options.cycles, options.provisioners)
    print(report, end="")
    word = {0: "passed", 1: "FAILED", 3: "INVALID"}[code]
    if code == 0:
        shutil.rmtree(directory)
    else:
        print(f"logs and histories: {directory}")
    print(json.dumps({"campaign": word, "seed": options.seed, **figures}))
    return code


if __name__ == "__main__":
    sys.exit(main())
