"""Checks what a region was told on its provisioning streams, and what it answered, as stream_tap.c saw it in the provisioner
(docs/provisioning-protocol.md has the promises).

- Ordered: an object's revision never goes back, on a stream or from one to the next, also when the API lost its power or was restored.
- One at a time: no other revision of an object comes before the one in flight was answered, and no more comes than Hello gave credit for.
- True: what is applied is a generation that was, with its keys; a digest fits; epoch and incarnation are the stream's.
- Bookmarks: behind one no revision comes that it had passed; its floor has nothing unanswered below it that is not superseded, never goes down, and is told to nobody
  who was not synced. Heads never go down.
- Fresh, so resumable: a bookmark that says that nothing is pending follows everything that clients had been promised before the API can have made it.
- Full resyncs count and add up.
- Reliable: at the end the latest state of every set was told and acknowledged.
- The region's side: what it acknowledged it holds for good, over kills and power losses too, until it is another incarnation.
"""

import bisect
import collections
import json
import subprocess
from typing import NamedTuple

import set_model
from harness import BIN

APPLY, DELETE, RETAIN = 1, 2, 3
MOST_IN_A_BATCH = 16


class Told(NamedTuple):
    revision: int
    uid: str
    # None: a deletion, or unknown.
    generation: int | None
    operation: int


class Stream:
    def __init__(self, hello):
        self.name = hello["s"]
        self.hello = hello
        self.epoch = None
        self.welcomed = False
        self.in_flight = {}
        self.sent = {}
        self.passed = 0
        self.sync = None
        # When the API cannot have made a bookmark yet that covers a revision: (revision, time of its ack).
        self.acks = []


class RegionStreams:
    """`history` has checked its sets already."""

    def __init__(self, region, history):
        self.region = region
        self.history = history
        self.counts = collections.Counter()
        self.stream = None
        self.head = self.epoch = 0
        self.highest = {}
        self.known = {}
        self.promises = self._promises()
        self.skipped = {name for name, calls in history.calls.items() if name in history.undecided or any(call["o"] == "unknown" for call in calls)}
        self.deleted = {name for name, calls in history.calls.items() if any(call["f"] in ("delete", "restore") and call["o"] != "no" for call in calls)}
        self._become(None)

    def _promises(self):
        """(when, set, uid, generation) of what clients were told of this region's sets, in order."""
        found = [(end, name, uid, generation) for name in self.history.calls if self.history.region_of(name) == self.region
                 for end, uid, generation in self.history.acknowledged(name)]
        return sorted(found)

    def _become(self, incarnation):
        """The region's store is a new one."""
        self.incarnation = incarnation
        self.told, self.acked, self.failed = {}, {}, set()
        self.floor = self.highest_ack = self.checked = 0
        self.synced = set()

    def violation(self, text, line):
        where = self.stream.name if self.stream else "?"
        self.history.violations.append(f"provisioning stream {self.region} {where} at {line['t']}: {text}")

    def check(self, lines):
        line = {"t": 0}
        # Behind that the daemons are stopped.
        until = max((events[-1]["t"] for events in self.history.streams.values() if events[-1]["e"] == "stopped"), default=float("inf"))
        for line in lines:
            if line["t"] > until:
                continue
            if line["m"] == "hello":
                self.hello(line)
            elif self.stream and line["s"] == self.stream.name and line["m"] != "other":
                getattr(self, line["m"])(line)
        self.check_end(line)
        return self.counts

    # What the provisioner says.

    def hello(self, line):
        self.counts["streams"] += 1
        if line["inc"] != self.incarnation:
            self._become(line["inc"])
        self.stream = Stream(line)
        if line["seen"] < self.highest_ack:
            self.violation(f"the region saw {line['seen']} at most and has acknowledged {self.highest_ack}", line)

    def acks(self, line):
        for ack in line["acks"]:
            self.counts["acks"] += 1
            self.stream.in_flight.pop(ack["o"], None)
            if ack["inc"] != self.incarnation:
                continue
            if not ack["ready"]:
                self.failed.add(ack["o"])
                self.counts["failed"] += 1
                continue
            self.failed.discard(ack["o"])
            if ack["rev"] < self.acked.get(ack["o"], 0):
                self.violation(f"the region acknowledges {ack['rev']} of {ack['o']} and has acknowledged {self.acked[ack['o']]}", line)
            self.acked[ack["o"]] = ack["rev"]
            self.highest_ack = max(self.highest_ack, ack["rev"])
            self.stream.acks.append((ack["rev"], line["t"]))

    def sync_done(self, line):
        sync = self.stream.sync
        if not sync or line["sync"] != sync["sync"]:
            return
        # Without leave no more than a tenth is swept: the rest is strays, which an operator hears of.
        self.counts["unswept"] += not line["swept"]
        self.told = {what: told for what, told in self.told.items() if what in sync["objects"] or told.revision > sync["as_of"]}
        self.synced.add(sync["as_of"] >> 48)

    def drift(self, line):
        self.counts["drifted"] += line["count"]

    def end(self, line):
        self.stream = None

    # What the API says.

    def garbage(self, line):
        self.violation("a message that cannot be read", line)

    def welcome(self, line):
        if self.stream.welcomed:
            self.violation("welcomed twice", line)
        self.stream.welcomed = True
        self.raise_head(line["head"], line)

    def raise_head(self, head, line):
        if head < self.head:
            self.violation(f"the head goes back from {self.head} to {head}", line)
        self.head = max(self.head, head)

    def grant(self, line):
        if not self.stream.welcomed or self.stream.epoch:
            self.violation("a grant before the welcome, or twice", line)
        # A restored backup may give an epoch again.
        epoch = (self.head >> 48, line["epoch"])
        if self.epoch and epoch <= self.epoch:
            self.violation(f"epoch {line['epoch']} was granted before", line)
        self.stream.epoch, self.epoch = line["epoch"], epoch

    def standby(self, line):
        self.counts["standbys"] += 1

    def drain(self, line):
        self.counts["drains"] += 1

    def sync_begin(self, line):
        self.counts["resyncs"] += 1
        self.stream.sync = {"sync": line["sync"], "as_of": line["as_of"], "objects": {}}

    def sync_end(self, line):
        sync = self.stream.sync
        if not sync or line["sync"] != sync["sync"] or line["as_of"] != sync["as_of"]:
            return self.violation("the end of a resync that never began", line)
        objects = sync["objects"]
        if line["count"] != len(objects) or line["hash"] != sum(objects.values()) % (1 << 64):
            self.violation(f"a resync of {line['count']} objects, {len(objects)} of which came", line)
        for name in self.lasting(line["t"]):
            if f"1/acme/{name}" not in objects:
                self.violation(f"a full resync lacks {name}, which nobody deleted", line)

    def lasting(self, now):
        begin, back = self.stream.hello["t"], self.went_back(now)
        return [name for name, since in self.history.lasting().items()
                if back < since < begin and name not in self.deleted and self.history.region_of(name) == self.region]

    def events(self, line):
        if not 1 <= len(line["events"]) <= MOST_IN_A_BATCH:
            self.violation(f"{len(line['events'])} events in a batch", line)
        for event in line["events"]:
            self.event(event, line)

    def event(self, event, line):
        self.counts["events"] += 1
        stream, what, revision = self.stream, event["o"], event["rev"]
        if event["epoch"] != stream.epoch or event["inc"] != self.incarnation:
            self.violation(f"{what} of epoch {event['epoch']} for {event['inc']}; the stream has {stream.epoch} for {self.incarnation}", line)
        if revision < self.highest.get(what, 0):
            self.violation(f"{what} goes back from {self.highest[what]} to {revision}", line)
        self.highest[what] = max(revision, self.highest.get(what, 0))
        if event["sync"]:
            if not stream.sync or event["sync"] != stream.sync["sync"]:
                self.violation(f"{what} is part of a resync that never began", line)
            else:
                stream.sync["objects"][what] = event["hash"]
        if event["op"] == RETAIN:
            self.counts["retained"] += 1
            self.told[what] = self.known.get((what, revision)) or Told(revision, event["uid"], None, RETAIN)
            return
        self.check_window(event, line)
        self.check_bookmarks(event, line)
        stream.sent[what] = revision
        told = Told(revision, event["uid"], event.get("gen"), event["op"])
        if (known := self.known.setdefault((what, revision), told)) != told:
            self.violation(f"{what} at {revision} was {known} and is {told}", line)
        self.told[what] = told
        if event["op"] == APPLY:
            self.check_true(event, line)

    def check_window(self, event, line):
        flying, hello = self.stream.in_flight, self.stream.hello
        before = flying.get(event["o"])
        if before and before[0] != event["rev"]:
            self.violation(f"{event['o']} at {event['rev']} while {before[0]} is in flight", line)
        self.counts["redelivered"] += before is not None
        flying[event["o"]] = event["rev"], event["bytes"]
        if len(flying) > hello["objects"]:
            self.violation(f"{len(flying)} objects in flight", line)
        if len(flying) > 1 and sum(size for _, size in flying.values()) > hello["bytes"]:
            self.violation("more bytes in flight than there is credit for", line)

    def check_bookmarks(self, event, line):
        what, revision = event["o"], event["rev"]
        again = self.stream.sent.get(what) == revision or what in self.failed
        if revision <= self.stream.passed and not event["sync"] and not again:
            self.violation(f"{what} at {revision}, behind a bookmark of {self.stream.passed}", line)
        if revision <= self.floor and not event["sync"] and what not in self.failed:
            self.violation(f"{what} at {revision}, which the floor {self.floor} said is settled", line)

    def check_true(self, event, line):
        if not event.get("digest_fits"):
            self.violation(f"{event['o']}: the digest does not fit", line)
        kind, _, name = event["o"].split("/")
        if kind != "1" or name in self.skipped or name not in self.history.shown:
            return
        keys = self.history.shown[name].get((event["uid"], event["gen"]))
        self.counts["compared"] += 1
        if keys is None:
            self.violation(f"{name} was never generation {event['gen']} of {event['uid']}", line)
        elif event["keys"] not in keys:
            self.violation(f"{name} generation {event['gen']} had the keys {keys}, not {event['keys']}", line)

    def bookmark(self, line):
        self.counts["bookmarks"] += 1
        stream, floor = self.stream, line["floor"]
        if not stream.epoch:
            if floor:
                self.violation("a standby is told a floor", line)
            return
        if line["head"] < stream.passed:
            self.violation(f"a bookmark goes back from {stream.passed} to {line['head']}", line)
        stream.passed = max(stream.passed, line["head"])
        self.head = max(self.head, line["head"])
        if not floor:
            return
        if floor < self.floor:
            self.violation(f"the floor goes back from {self.floor} to {floor}", line)
        self.floor = max(floor, self.floor)
        if floor >> 48 not in self.synced:
            self.violation(f"a floor for an incarnation that was not synced: {floor}", line)
        for what, (revision, _) in stream.in_flight.items():
            # While something is pending, that may be the successor of what is in flight.
            if revision <= floor and not line["pending"]:
                self.violation(f"the floor {floor} says that {what} at {revision} is settled; nobody answered it", line)
        if not line["pending"]:
            self.check_fresh(floor, line)

    def went_back(self, now):
        return max((mark["t1"] for mark in self.history.marks if mark["f"] == "restore" and mark["t0"] < now), default=0)

    def check_fresh(self, floor, line):
        made = max([self.stream.hello["t"], *(time for revision, time in self.stream.acks if revision <= floor)])
        self.stream.acks = [(floor, made)]
        back = self.went_back(line["t"])
        until = bisect.bisect_left(self.promises, (made,))
        for end, name, uid, generation in self.promises[self.checked:until]:
            if end > back:
                self.counts["promises"] += 1
                self.check_promise(name, uid, generation, floor, line)
        self.checked = max(self.checked, until)

    def check_promise(self, name, uid, generation, floor, line):
        told, order = self.told.get(f"1/acme/{name}"), self.history.uids[name]
        if not told:
            if name not in self.deleted:
                self.violation(f"nothing is pending, and {name} was never told", line)
            return
        older = told.uid in order and uid in order and order.index(told.uid) < order.index(uid)
        if older or told.revision >> 48 < floor >> 48 or told.uid == uid and told.operation != DELETE and (told.generation or 0) < generation:
            self.violation(f"nothing is pending, and of {name} only {told} was told; generation {generation} of {uid} had been acknowledged", line)

    # The end.

    def check_end(self, line):
        if not self.stream or not self.stream.epoch:
            return self.violation("the region has no stream at the end", line)
        for name, state in self.history.finals.items():
            if name in self.skipped or self.history.region_of(name) != self.region:
                continue
            told = self.told.get(f"1/acme/{name}")
            there = told and told.operation != DELETE
            self.counts["finals"] += 1
            if state.uid is None and there or state.uid and (not there or told.generation != state.generation or not set_model.same(state.uid, told.uid)):
                self.violation(f"at the end {told} of {name} was told, which is {state.uid} {state.generation}", line)
            elif there and self.acked.get(f"1/acme/{name}") != told.revision:
                self.violation(f"at the end {told} of {name} is not acknowledged", line)


def lines_of(region, directory):
    with subprocess.Popen([BIN / "stream_reader", region, directory], stdout=subprocess.PIPE) as reader:
        yield from map(json.loads, reader.stdout)
    if reader.returncode:
        raise RuntimeError(f"stream_reader {directory} ended with {reader.returncode}")
