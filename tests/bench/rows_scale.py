"""Rows 8 and 9, and growth: what the API costs with 1 to 2,000 provisioners and with 1 k to 1 M sets. Their regions belong to a fleet (fleet.h)."""

import json
import os
import shutil
import time

from harness import free_port
from measure import Figure, Table, cpu_seconds, duration, median, number, resident_bytes
from rig import BIN, Bench, Fleet, wait_for

CALLS = ("gate", "get", "list", "set")
CLIENTS = 64
IDLE_SECONDS = 5
FILLED = BIN.parent / "bench"
# Its certificates live 30 days.
MAX_AGE_SECONDS = 20 * 24 * 3600
REGION = "fleet-0"


def provisioners(bench, report):
    """Row 8 and the growth table, in a system of its own without a real provisioner."""
    own = Bench(bench.directory / "provisioners", bench.options, regions=())
    own.start()
    try:
        _provisioners(own, report)
    finally:
        own.close()


def _provisioners(bench, report):
    stages = [count for count in (1, 10, 100, 1000, 2000) if count <= bench.options.provisioners]
    lines, bases = [], {}
    with Fleet(bench) as fleet:
        fleet.ask("connect 1")
        fleet.ask(f"regions {stages[-1]}")
        _fill(bench, fleet, 0, 1000)
        idle = {count: _idle(bench, fleet, count) for count in stages}
        for count in stages:
            settle(bench, fleet)
            fleet.ask(f"connect {count}")
            costs = _costs(bench, ("gate", "set"), 1000, region="fleet", regions=count)
            bases = bases or costs
            seconds, resident, busy = idle[count]
            lines.append([number(count), f"{seconds:.1f} s", number(resident / 1e6) + " MB", f"{busy:.1f} ms/s",
                          *(f"{costs[call] / bases[call]:.2f}" for call in ("gate", "set")), *(f"{costs[call]:.0f} µs" for call in ("gate", "set"))])
        revived = fleet.ask(f"connect {stages[-1]}")["revived"]
    first, last = stages[0], stages[-1]
    if revived:
        bench.note(f"the API ended {revived:.0f} streams unasked and in good order; they came back")
    if last > first:
        each = (idle[last][1] - idle[first][1]) / 1000 / (last - first)
        report.add(Figure(f"8 memory of the API per connected idle provisioner, mutual TLS, {last:,} connected", "≤ 150 KB", [each], "KB"))
    report.add(Table("Growth with connected provisioners, a region each (memory and CPU while idle; gate and set: CPU per call, 64 clients, set in all regions)",
                     ["provisioners", "connected after", "memory", "idle CPU", "gate ÷ first", "set ÷ first", "gate", "set"], lines))


def _idle(bench, fleet, count):
    """Seconds until the newest were connected; the API's memory; its CPU milliseconds a second."""
    connected = fleet.ask(f"connect {count}")["seconds"]
    busy = _idle_cpu(bench)
    return connected, resident_bytes(bench.system.api.pid), busy


def _idle_cpu(bench):
    time.sleep(3)
    before = cpu_seconds(bench.system.api.pid)
    seconds = min(IDLE_SECONDS, 4 * bench.options.seconds)
    time.sleep(seconds)
    return (cpu_seconds(bench.system.api.pid) - before) * 1000 / seconds


def _costs(bench, calls, spread, **more):
    """CPU microseconds of the API per call."""
    return {call: median([bench.sample(call, "api", CLIENTS, **({"spread": spread} if call != "set" else more)).cpu_us
                          for _ in range(min(bench.options.rounds, 3))]) for call in calls}


def _fill(bench, fleet, done, count):
    """Sets fill-DONE to fill-(COUNT-1), READY in the fleet's first region."""
    began = time.monotonic()
    bench.client("fill", bench.api_address, 256 if count - done > 1000 else CLIENTS, 24 * 3600, count=count - done, region=REGION, **{"from": done})
    settle(bench, fleet)
    return time.monotonic() - began


def settle(bench, fleet):
    """All that was written is READY, also where the API ended the region's stream on the way. One provisioner is connected then."""
    operator = bench.system.operator()
    wait_for(lambda: fleet.ask("connect 1") and operator.json("regions", "show", REGION)["pendingCount"] == 0, f"{REGION} holds everything", 600, 0.1)


def sets(bench, report):
    """Row 9 and the growth table. What was filled is kept in build/release/bench/filled-N, and made when missing."""
    stages = [count for count in (1000, 10_000, 100_000, 1_000_000) if count <= bench.options.scale]
    lines, bases = [], {}
    for count in stages:
        directory = bench.directory / f"sets-{count}"
        _copy_filled(bench, count, directory)
        own = Bench(directory, bench.options, regions=())
        started = []
        try:
            own.start()
            for _ in range(min(bench.options.rounds, 3)):
                own.system.api.stop()
                begin = time.monotonic()
                own.system.api.start()
                started.append(time.monotonic() - begin)
            resident = resident_bytes(own.system.api.pid)
            with Fleet(own) as fleet:
                settle(own, fleet)
                samples = {call: own.sample(call, "api", CLIENTS, **({"spread": count} if call != "set" else {"region": REGION})) for call in CALLS}
        finally:
            own.close()
            shutil.rmtree(directory)
        bases = bases or samples
        lines.append([number(count), f"{median(started):.2f} s", number(resident / 1e6) + " MB",
                      *(f"{samples[call].cpu_us / bases[call].cpu_us:.2f}" for call in CALLS),
                      *(f"{samples[call].cpu_us:.0f} µs, p50 {duration(samples[call].p50_us)}" for call in CALLS)])
        if count == stages[-1]:
            report.add(Figure(f"9 start of the API with {count:,} sets, all READY", "≤ 5 s with 1 M", started, "s"))
    report.add(Table("Growth with sets (API's CPU per call with 64 clients, each call another set; memory after the start)",
                     ["sets", "start", "API's memory", *(f"{call} ÷ first" for call in CALLS), *CALLS], lines))


def _copy_filled(bench, count, directory):
    source = FILLED / f"filled-{count}"
    settings = source / "system/settings.json"
    if bench.options.refill or not settings.exists() or time.time() - settings.stat().st_mtime > MAX_AGE_SECONDS:
        _make_filled(bench, count, source)
    shutil.copytree(source, directory)
    _move(directory)


def _make_filled(bench, count, target):
    """From the next smaller one, or from nothing; through the API."""
    smaller = [int(path.name.split("-")[1]) for path in FILLED.glob("filled-*") if (path / "system/settings.json").exists()]
    done = max((each for each in smaller if each < count), default=0)
    building = bench.directory / f"filling-{count}"
    if done:
        shutil.copytree(FILLED / f"filled-{done}", building)
        _move(building)
    building.mkdir(exist_ok=True)
    own = Bench(building, bench.options, regions=())
    own.start()
    try:
        with Fleet(own) as fleet:
            fleet.ask("connect 1")
            seconds = _fill(own, fleet, done, count)
    finally:
        own.close()
    for log in (building / "system/logs").glob("*.log"):
        log.write_bytes(b"")
    FILLED.mkdir(exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(building, target)
    bench.note(f"filled {count:,} sets, {count - done:,} of them new, in {seconds:.0f} s")


def _move(directory):
    """Settings name no path; ports of its own, for two may run at once; what is left of processes that ran elsewhere goes."""
    settings = directory / "system/settings.json"
    known = json.loads(settings.read_text())
    settings.write_text(json.dumps(known | {"ports": {name: free_port() for name in known["ports"]}}))
    for path in (directory / "system/logs").glob("*"):
        if path.suffix in (".pid", ".ready"):
            path.unlink()
