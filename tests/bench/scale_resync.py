"""One region with many sets is a new machine and is synced in full, beside calls of others."""

import shutil
import time

from measure import Meter, peak_bytes, reset_peak, resident_bytes
from rig import Bench, Fleet, wait_for
from rows_scale import REGION, _copy_filled
from steady import Steady, Windows, prioritize, spread

PATIENCE = 1800
REST = 3


def resync(directory, options):
    """Windows of a resync that is under way, in turns with quiet ones; then one that runs to its end."""
    filler = Bench(directory, options, regions=())
    filler.options.refill = options.refill
    place = directory / "filled"
    _copy_filled(filler, options.sets, place)
    bench = Bench(place, options, regions=())
    bench.start()
    try:
        _start_again(bench, options)
        with Fleet(bench, niceness=options.priority) as fleet, Steady(bench, options) as steady:
            windows = Windows(bench, steady, ("quiet", "resync"))
            for _ in range(options.rounds):
                windows.measure("quiet", lambda: time.sleep(options.seconds))
                events = windows.measure("resync", lambda: _resync_for(fleet, options.seconds))
                bench.note(f"{events / options.seconds:,.0f} sets a second")
                fleet.ask("connect 0")
                time.sleep(REST)
            _resync_to_its_end(bench, fleet, options)
            windows.report()
    finally:
        bench.close()
    shutil.rmtree(place)


def _start_again(bench, options):
    """With the store just read and written, so from the page cache."""
    bench.system.api.stop()
    begin = time.monotonic()
    bench.system.api.start()
    print(f"  start with {options.sets:,} sets: {time.monotonic() - begin:.2f} s, {resident_bytes(bench.system.api.pid) / 1e6:.0f} MB", flush=True)
    prioritize(bench.system.api.pid, options.priority)


def _resync_for(fleet, seconds):
    fleet.ask("wipe")
    before = fleet.ask("counts")["events"]
    begin = time.monotonic()
    fleet.ask("connect 1")
    time.sleep(max(seconds - (time.monotonic() - begin), 0))
    return fleet.ask("counts")["events"] - before


def _resync_to_its_end(bench, fleet, options):
    pid = bench.system.api.pid
    reset_peak(pid)
    fleet.ask("wipe")
    resyncs = fleet.ask("counts")["resyncs"]
    begin = time.monotonic()
    with Meter([pid]) as meter:
        fleet.ask("connect 1")
        wait_for(lambda: fleet.ask("counts")["resyncs"] > resyncs, "the region has everything", PATIENCE, 0.1)
        wait_for(lambda: bench.system.operator().json("regions", "show", REGION)["pendingCount"] == 0, "the region proved everything", PATIENCE, 0.5)
    took = time.monotonic() - begin
    print(f"  full resync of {options.sets:,} sets beside {options.rate} calls/s: {took:.0f} s, {options.sets / took:,.0f} sets/s, "
          f"API's CPU {spread([meter.seconds[0] * 1e6 / options.sets], 'µs')} a set, memory at the peak {peak_bytes(pid) / 1e6:.0f} MB", flush=True)
