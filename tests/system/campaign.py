"""Real binaries under fire. usage: campaign.py --faults all|NAME,...|NAME=N,... [--cycles N] [--seed S] [--provisioners N] [--record FILE]

Faults strike the API, a provisioner, or what lies between them and their clients, while history_client plays; then they heal, and something new must become
READY in every region within 30 s of it (half-open connections: HALF_OPEN_SECONDS). Regions are struck side by side, each a cycle of its own that must have
fired, have met load of that region, and have converged by itself; what strikes the API comes alone. At the end histories, watches and provisioning streams are
checked (history.py, stream_history.py). Exit code 0: nothing wrong. 1: a violation. 3: invalid: a fault did not fire, or met too little load. The last line is for
machines; --record FILE keeps it.
"""

import argparse
import collections
import random
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import history
from campaign_faults import API, FAULTS, PLANTED, REGION, Scene
from campaign_world import LEAST_CALLS, World
from crash_campaign import append_record
from harness import BIN, SystemFailure

ALL = {**FAULTS, **PLANTED}
# Strikes of one region before the API's turn.
TURN = 8
# Of those faults that may strike anywhere, so many in a hundred strike the API.
API_SHARE = 15
# Answered calls of a region while it is struck and until it has converged.
LEAST_OF_REGION = 10


class Tally:
    """What became of one kind of fault."""

    def __init__(self):
        self.cycles = self.answers = self.slow = 0
        self.fired = collections.Counter()
        self.misses = []
        self.converged = []

    def describe(self):
        times = sorted(self.converged) or [0]
        return {"cycles": self.cycles, "fired": sum(self.fired.values()), "answers": self.answers, "converge_median": round(times[len(times) // 2], 1),
                "converge_max": round(times[-1], 1), **({"torn": self.fired["torn"]} if self.fired["torn"] else {})}


class Campaign:
    def __init__(self, directory, seed, counts, provisioners=2):
        self.world = World(directory, seed, provisioners, "disk-full" in counts)
        self.tallies = {name: Tally() for name in counts}
        self.slow = []
        dice = self.world.dice
        names = [name for name, count in counts.items() for _ in range(count)]
        dice.shuffle(names)
        # By region, and None: upon the API.
        self.decks = {number: [] for number in (*range(provisioners), None)}
        for name in names:
            where = ALL[name].where
            upon_api = where == API or where != REGION and dice.randrange(100) < API_SHARE
            self.decks[None if upon_api else dice.randrange(provisioners)].append(name)
        self.total = len(names)
        # A daemon dies with the thread that started it (DIE_WITH_PARENT): these stay until all are stopped.
        self.lanes = ThreadPoolExecutor(provisioners)
        self.dices = {number: random.Random(dice.random()) for number in self.decks}

    def run(self):
        """Strikes and heals until all is done. SystemFailure is a violation."""
        self.world.start()
        self.world.wait_for_load()
        turns = -(-max(len(deck) for number, deck in self.decks.items() if number is not None) // TURN) or 1
        of_api = -(-len(self.decks[None]) // turns)
        while any(self.decks.values()):
            for turn in [self.lanes.submit(self._turn, number, TURN) for number in self.decks if number is not None]:
                turn.result()
            self._turn(None, of_api)
            print(f"{sum(tally.cycles for tally in self.tallies.values())} of {self.total} faults, {self.world.answers()} calls answered", flush=True)
        self.world.converge()
        self.world.finish()
        result = history.check([self.world.history, self.world.marks], self.world.taps)
        return result._replace(violations=self.slow + result.violations)

    def close(self):
        self.lanes.shutdown(cancel_futures=True)
        self.world.close()

    def _turn(self, number, count):
        deck, dice = self.decks[number], self.dices[number]
        for name in deck[:count]:
            region = self.world.regions[dice.randrange(len(self.world.regions)) if number is None else number]
            self._cycle(name, Scene(self.world, dice, region, self.world.system.api if number is None else None))
        del deck[:count]

    def _cycle(self, name, scene):
        world, fault, tally = self.world, ALL[name], self.tallies[name]
        regions, load_of = (world.regions, None) if scene.api else ([scene.region], scene.region)
        for daemon in (world.system.api, scene.region.daemon):
            if not daemon.pid:
                raise SystemFailure(f"{daemon.name} ended by itself\n{daemon.tail()}")
        before = world.answers(load_of)
        strike = fault.strike(scene)
        fired = next(strike)
        time.sleep(scene.dice.uniform(*fault.lasts))
        if fault.load_goes_on:
            world.wait_for_load(LEAST_OF_REGION)
        evidence = fired()
        healed = time.monotonic()
        try:
            next(strike)
        except StopIteration:
            pass
        seconds = world.converge(regions, healed)
        world.wait_for_load(LEAST_CALLS if scene.api else LEAST_OF_REGION, region=load_of)
        if seconds > fault.converges_within:
            self.slow.append(f"{name} upon {'the API' if scene.api else scene.region.name} ({evidence}) took {seconds:.1f} s to converge")
        tally.converged.append(seconds)
        tally.cycles += 1
        tally.answers += world.answers(load_of) - before
        if evidence:
            tally.fired[evidence] += 1
        else:
            tally.misses.append(f"seed {world.seed}, {name} upon {'the API' if scene.api else scene.region.name}")


def run(directory, seed, counts, provisioners=2):
    """(exit code, report, figures)"""
    campaign = Campaign(directory, seed, counts, provisioners)
    try:
        result = campaign.run()
    except SystemFailure as failure:
        return 1, f"violation: {failure}\n", {}
    finally:
        campaign.close()
    lines = [f"violation: {violation}" for violation in result.violations[:20]] + [f"undecided: {name}" for name in result.undecided[:20]]
    misses = []
    for name, tally in campaign.tallies.items():
        figures = tally.describe()
        lines.append(f"{name:10} " + " ".join(f"{key}={value}" for key, value in figures.items()) + f" {dict(tally.fired.most_common(6))}")
        misses += [f"invalid: {miss} did not fire" for miss in tally.misses]
    if not result.held or not result.accepted_deployments or result.undecided or not result.streams.get("compared"):
        misses.append("invalid: too little was compared")
    figures = {**result._asdict(), "violations": len(result.violations), "undecided": len(result.undecided),
               "faults": {name: tally.describe() for name, tally in campaign.tallies.items()}}
    return 1 if result.violations else 3 if misses else 0, "\n".join(lines + misses) + "\n", figures


def parse_faults(text, cycles):
    """{name: strikes}, or the names that are unknown."""
    pairs = [pair.partition("=") for pair in (FAULTS if text == "all" else text.split(","))]
    unknown = {name for name, _, _ in pairs} - set(ALL)
    return {name: int(count or cycles) for name, _, count in pairs} if not unknown else {}, unknown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default="all", help=f"all, or some of {','.join(FAULTS)}, with a number of its own: kill=100; {','.join(PLANTED)}: must fail")
    parser.add_argument("--cycles", type=int, default=3, help="of each fault without a number")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--provisioners", type=int, default=2)
    parser.add_argument("--record", help="append the last line to this file")
    options = parser.parse_args()
    counts, unknown = parse_faults(options.faults, options.cycles)
    if unknown:
        parser.error(f"unknown faults: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    print(f"campaign: faults={options.faults} cycles={options.cycles} seed={options.seed} provisioners={options.provisioners}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="campaign-", dir=BIN.parent))
    code, report, figures = run(directory, options.seed, counts, options.provisioners)
    print(report, end="")
    if code == 0:
        shutil.rmtree(directory)
    else:
        print(f"logs and histories: {directory}")
    append_record(options.record, "histories", code, {"seed": options.seed, **figures})
    return code


if __name__ == "__main__":
    sys.exit(main())
