"""Rows 6 and 7: everything into a fresh region, and changes to many watchers."""

import os
import shutil
import subprocess
import time

from harness import DIE_WITH_PARENT, wait_for
from measure import Meter, Row, Sample
from rig import BIN, BenchFailure, Fleet, parse
from rows_calls import in_turns, throughput

WATCHES = 64
WRITERS = 16


def resync(bench, report):
    """Into a wiped region with its real provisioner, from its start to the last acknowledged set; and into one that takes everything and keeps nothing."""
    missing = bench.options.sets - len(bench.system.user().json("secrets", "list")["sets"])
    if missing > 0:
        bench.client("fill", bench.api_address, 64, 3600, count=missing)
    bench.wait_ready("bench-0")
    options = bench.options
    rounds, options.rounds = options.rounds, min(options.rounds, 3)

    def raw():
        return Sample.of(bench.disk("commit", 64, 3, 100))
    report.add(Row(f"6 full resync of {options.sets:,} sets into a fresh region, sets ready/s ÷ raw commits/s", "≥ 0.5",
                   in_turns(options, lambda: _resync_real(bench), raw, throughput), reference_name="raw commits"))
    report.add(Row(f"6 the same, {options.sets:,} sets, into a provisioner that keeps nothing: the API's part", "none",
                   _resync_null(bench, raw), reference_name="raw commits"))
    options.rounds = rounds


def _resync_real(bench):
    provisioner = bench.system.provisioners["us-west"]
    provisioner.stop()
    for path in (bench.system.region_data("us-west"), bench.system.files("us-west")):
        shutil.rmtree(path)
        path.mkdir(mode=0o700)
    operator = bench.system.operator()
    shown = bench.system.files("us-west") / "sets" / "acme"
    total = len(bench.system.user().json("secrets", "list", "--region", "us-west")["sets"])
    with Meter([bench.system.api.pid]) as meter:
        start = time.monotonic()
        provisioner.start()
        wait_for(lambda: operator.json("regions", "show", "us-west")["provisioners"], "the region is connected", 30)
        # What was ready before the wipe is in no pending index: its files tell that it is back.
        wait_for(lambda: len(os.listdir(shown)) >= total if shown.exists() else False, "the region shows everything", 1800, 0.1)
        wait_for(lambda: operator.json("regions", "show", "us-west")["pendingCount"] == 0, "the region holds everything", 1800, 0.1)
        seconds = time.monotonic() - start
    return Sample(per_second=total / seconds, cpu_us=meter.seconds[0] * 1e6 / total)


def _resync_null(bench, raw):
    total = bench.options.sets
    with Fleet(bench, "null") as fleet:
        fleet.ask("regions 1")
        fleet.ask("connect 1")
        bench.client("fill", bench.api_address, 64, 3600, count=total, region="null-0", **{"from": 10_000_000})

        def again():
            fleet.ask("connect 0")
            fleet.ask("wipe")
            resyncs = fleet.ask("counts")["resyncs"]
            with Meter([bench.system.api.pid]) as meter:
                start = time.monotonic()
                fleet.ask("connect 1")
                wait_for(lambda: fleet.ask("counts")["resyncs"] > resyncs, "the region has everything", 1800, 0.05)
                seconds = time.monotonic() - start
            return Sample(per_second=total / seconds, cpu_us=meter.seconds[0] * 1e6 / total)
        return in_turns(bench.options, again, raw, throughput)


def fan_out(bench, report):
    """Watches of one organization while clients write as fast as they can, against messages on as many streams that cost nothing to make."""
    def ours():
        with Meter([bench.system.api.pid]) as meter:
            said = _watch_beside_writers(bench)
        return Sample(per_second=said["events_per_second"], cpu_us=meter.seconds[0] * 1e6 / max(said["events"], 1))

    def raw():
        with Meter([bench.echo.pid]) as meter:
            said = _watch(bench, bench.echo_address)
        return Sample(per_second=said["events_per_second"], cpu_us=meter.seconds[0] * 1e6 / max(said["events"], 1))
    report.add(Row(f"7 changes to {WATCHES} watches beside {WRITERS} writers, events/s ÷ raw unhinted stream messages/s", "≥ 1.5",
                   in_turns(bench.options, ours, raw, throughput), reference_name="raw stream"))


def _watch_beside_writers(bench):
    key, ca = bench.system.settings["api_key"], bench.system.ca
    writers = subprocess.Popen([*DIE_WITH_PARENT, BIN / "bench_client", "set", bench.api_address, ca, key, str(WRITERS), "3600"])
    try:
        return _watch(bench, bench.api_address)
    finally:
        writers.terminate()
        writers.wait()


def _watch(bench, address):
    """Half of the watches under each of two keys: one key may not have more. The sum of both halves."""
    halves = [subprocess.Popen([BIN / "watch_client", address, bench.system.ca, key, str(WATCHES // 2), str(bench.options.seconds)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for key in _two_keys(bench)]
    said = {}
    for half in halves:
        output, errors = half.communicate()
        if half.returncode != 0:
            raise BenchFailure(f"watch_client: {errors}")
        for name, value in parse(output.replace("watching", "")).items():
            said[name] = said.get(name, 0) + value
    return said


def _two_keys(bench):
    settings = bench.system.settings
    if "second_key" not in settings:
        settings["second_key"] = bench.system.new_key("acme", "admin")
    return settings["api_key"], settings["second_key"]
