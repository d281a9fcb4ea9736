"""Checks a history that history_client wrote: calls by linearizability.py and set_model.py, one history a secret set; watches by their promises.

usage: history.py DIRECTORY    What a campaign that failed has left, once more. Exit code 1 with violations.

A watch is ordered (a set's generations never go back in a stream, a set that was replaced never comes back), true (it shows states that were), fresh (what a
stream shows up to `snapshot_complete` is not older than what was acknowledged before it began: so it can be resumed at any time and misses nothing),
reliable (the stream that lives to the end has told the last state of every set), and complete once. Provisioning streams: stream_history.py.
"""

import collections
import functools
import json
import sys
from pathlib import Path
from typing import NamedTuple

import linearizability
import set_model
import stream_history

# A region that was disturbed may have to prove again what was READY.
PENDING, READY = 1, 2
# Messages of a watch; the other lines are of its client.
TELLING = ("set", "gone", "complete")
# UNKNOWN and DATA_LOSS.
NEVER_ANSWERED = (2, 15)
AFTERMATH = 60_000_000_000


class Result(NamedTuple):
    violations: list
    undecided: list
    histories: int
    calls: int
    unknown: int
    accepted_deployments: int
    refused_deployments: int
    held: int
    watch_messages: int
    watches: int
    # What provisioning streams were seen to carry, by name.
    streams: dict


def lines_of(paths):
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file):
                if line.endswith("\n"):
                    yield {**json.loads(line), "id": number}


class History:
    def __init__(self, lines):
        self.calls = collections.defaultdict(list)
        self.streams = collections.defaultdict(list)
        self.marks = []
        self.disturbed = []
        for line in lines:
            if line["k"] == "call":
                self.calls[line["h"]].append(line)
            elif line["k"] == "watch":
                self.streams[line["s"]].append(line)
            elif line["k"] == "mark":
                self.marks.append(line)
            elif line["k"] == "disturbed":
                self.disturbed.append((line["t0"], line["t1"] + AFTERMATH, line.get("region")))
        self.violations = []
        self.undecided = []
        self.finals = {}
        # (uid, generation) -> lists of keys, for each set; and the order of its uids. A restored set goes on with a generation that was there once.
        self.shown = collections.defaultdict(dict)
        self.uids = collections.defaultdict(list)

    def check(self, taps=None):
        """`taps`: provisioning streams of each region, a list of lines or the directory that stream_tap.c wrote to."""
        for name in self.calls:
            self.check_set(name)
        for stream, events in self.streams.items():
            self.check_stream(stream, events)
        carried = collections.Counter()
        for provisioner, lines in (taps or {}).items():
            region = provisioner.rpartition("-")[0]
            carried += stream_history.RegionStreams(region, self).check(stream_history.lines_of(region, lines) if isinstance(lines, Path) else lines)
        calls = [call for each in self.calls.values() for call in each]
        deployments = [call for call in calls if call["f"] == "deploy"]
        return Result(self.violations, self.undecided, len(self.calls), len(calls), sum(call["o"] == "unknown" for call in calls),
                      sum(call["o"] == "ok" for call in deployments), sum(call["o"] == "no" for call in deployments),
                      sum(call["f"] == "held" for call in calls), sum(event["e"] in TELLING for events in self.streams.values() for event in events),
                      len(self.streams), dict(carried))

    # The calls upon one set.

    def check_set(self, name):
        lines = [line for line in self.calls[name] if not (line["o"] == "unknown" and line["f"] in ("get", "agent", "list"))]
        calls = [linearizability.Call(line["t0"], line["t1"], line) for line in lines]
        # Backups and restores happen to every set, also to one that is not there.
        calls += [linearizability.Call(mark["t0"], mark["t1"], mark) for mark in self.marks]
        verdict = linearizability.check(calls, set_model.step, set_model.State())
        if verdict.word == "undecided":
            self.undecided.append(name)
        elif verdict.word != "linearizable":
            self.violations.append(f"{name}: no order of its calls explains the answers; behind {len(verdict.order)} calls "
                                   f"({describe_tail(verdict.order)}) none of these fits: {describe(verdict.stuck)}")
        for _, state in verdict.order:
            self.note(name, state)
        if verdict.order:
            self.finals[name] = verdict.order[-1][1]
        self.check_readiness(name, lines)

    def note(self, name, state):
        if state.uid is None:
            return
        keys = [key for key, _ in state.entries]
        known = self.shown[name].setdefault((state.uid, state.generation), [])
        if keys not in known:
            known.append(keys)
        if state.uid not in self.uids[name]:
            self.uids[name].append(state.uid)

    def check_readiness(self, name, lines):
        """A generation that is READY stays READY, unless its region was disturbed."""
        views = sorted((line for line in lines if line["f"] in ("get", "list") and line["o"] == "ok" and line["r"]), key=lambda line: line["t1"])
        proved = {}
        for view in views:
            said = view["r"]
            key = said["uid"], said["gen"]
            if said["rd"] == READY:
                proved.setdefault(key, view["t1"])
            elif key in proved and view["t0"] > proved[key] and not self.was_disturbed(name, proved[key], view["t1"]):
                self.violations.append(f"{name}: generation {said['gen']} was READY and is not any more, and nobody disturbed its region")
        for view in views:
            if view["r"]["rd"] not in (PENDING, READY) and not self.was_disturbed(name, view["t0"], view["t1"]):
                self.violations.append(f"{name}: FAILED: {view['r'].get('err')}")
        for line in lines:
            if line.get("code") in NEVER_ANSWERED:
                self.violations.append(f"{name}: {line['f']} was answered {line['code']}: {line['text']}")

    def was_disturbed(self, name, begin, end):
        """The set's region, or all of them."""
        return any(t0 <= end and begin <= t1 and region in (None, "", self.region_of(name)) for t0, t1, region in self.disturbed)

    # The messages of one stream.

    def check_stream(self, stream, events):
        opened = events[0]
        told, completed = {}, None
        newest = {}
        for event in events:
            kind = event["e"]
            if kind == "complete":
                if completed:
                    self.violations.append(f"watch {stream}: complete twice")
                completed = event["t"]
                self.check_fresh(stream, opened, told)
            elif kind == "set":
                self.check_order(stream, event, newest)
                told[event["h"]] = event
            elif kind == "gone":
                told[event["h"]] = None
        if events[-1]["e"] == "stopped" and completed:
            self.check_reliable(stream, opened, told)

    def check_order(self, stream, event, newest):
        name, uid, generation = event["h"], event["uid"], event["gen"]
        replaced, (last_uid, last) = newest.get(name, (set(), (uid, 0)))
        if uid in replaced or uid == last_uid and generation < last:
            self.violations.append(f"watch {stream}: {name} goes back to generation {generation} of {uid}")
        newest[name] = (replaced | ({last_uid} if uid != last_uid else set()), (uid, generation))
        if name in self.undecided or name not in self.shown or any(call["o"] == "unknown" for call in self.calls[name]):
            return
        keys = self.shown[name].get((uid, generation))
        if keys is None:
            self.violations.append(f"watch {stream}: {name} was never generation {generation} of {uid}")
        elif event["keys"] not in keys:
            self.violations.append(f"watch {stream}: {name} generation {generation} had the keys {keys}, not {event['keys']}")

    def check_fresh(self, stream, opened, told):
        back = max((mark["t1"] for mark in self.marks if mark["f"] == "restore" and mark["t0"] < opened["t"]), default=0)
        for name, shown in told.items():
            seen = [(uid, generation) for end, uid, generation in self.acknowledged(name) if back < end < opened["t"]]
            order = self.uids[name]
            for uid, generation in seen:
                older = uid in order and shown and shown["uid"] in order and order.index(shown["uid"]) < order.index(uid)
                if shown and (older or uid == shown["uid"] and shown["gen"] < generation):
                    self.violations.append(f"watch {stream}: its snapshot shows {brief(shown)} of {name}; generation {generation} of {uid} "
                                           "had been acknowledged before")
                    break
        for name, since in self.lasting().items():
            if back < since < opened["t"] and self.region_of(name) == opened["region"] and not told.get(name):
                self.violations.append(f"watch {stream}: its snapshot lacks {name}, which nobody deleted")

    @functools.cache
    def acknowledged(self, name):
        """(when, uid, generation) of each answer that showed the set."""
        return [(call["t1"], call["r"]["uid"], call["r"]["gen"]) for call in self.calls[name]
                if call["o"] == "ok" and call["f"] in ("set", "unset", "rollback", "get", "list") and call["r"]]

    @functools.cache
    def lasting(self):
        """Sets that nobody tried to delete, and when they were first seen."""
        return {name: min(end for end, _, _ in self.acknowledged(name)) for name, calls in self.calls.items()
                if self.acknowledged(name) and not any(call["f"] == "delete" and call["o"] != "no" for call in calls)}

    def check_reliable(self, stream, opened, told):
        region = opened["region"]
        for name, state in self.finals.items():
            if name in self.undecided or self.region_of(name) != region or any(call["o"] == "unknown" for call in self.calls[name]):
                continue
            shown = told.get(name)
            if state.uid is None and shown or state.uid and (not shown or shown["gen"] != state.generation or not set_model.same(state.uid, shown["uid"])):
                self.violations.append(f"watch {stream}: at the end it says {brief(shown)} of {name}, which is {state.uid} {state.generation}")

    @functools.cache
    def region_of(self, name):
        return next((call["region"] for call in self.calls[name] if "region" in call), None)


def brief(event):
    return f"generation {event['gen']} of {event['uid']}" if event else "gone"


def describe(calls):
    return "; ".join(json.dumps({key: value for key, value in call.what.items() if key not in ("k", "h", "text")}) for call in calls[:6])


def describe_tail(order):
    return "; ".join(f"{call.what['f']} -> {state.uid} {state.generation}" for call, state in order[-3:])


def check(paths, taps=None):
    return History(lines_of(paths)).check(taps)


def main():
    outside = Path(sys.argv[1]) / "outside"
    result = check([outside / "history", outside / "marks"], {path.parent.name: path for path in sorted(outside.glob("*/tap"))})
    for violation in result.violations:
        print(f"violation: {violation}")
    print(json.dumps({**result._asdict(), "violations": len(result.violations), "undecided": len(result.undecided)}))
    return 1 if result.violations else 0


if __name__ == "__main__":
    sys.exit(main())
