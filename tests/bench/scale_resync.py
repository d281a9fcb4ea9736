"""One region with many sets is a new machine and is synced in full, beside calls of others."""

import contextlib
import os
import time

from measure import Meter, peak_bytes, reset_peak, resident_bytes
from rig import Bench, Fleet, wait_for
from rows_scale import REGION, _copy_filled
from steady import Steady, Windows, niceness_of, prioritize, schedule, spread

PATIENCE = 1800
REST = 3
# Of the API's background threads; in seconds.
NICENESS, SLICE = 10, 0.020


def resync(directory, options):
    """Windows of a resync that is under way, in turns with quiet ones and with the same one upon another API of the machine, which tells what sharing the cores costs; then one that
    runs to its end."""
    bench, decoy = (_filled(directory / name, options) for name in ("api", "decoy"))
    try:
        with Fleet(bench, far=True) as fleet, Fleet(decoy, far=True) as elsewhere, Steady(bench, options) as steady:
            fleets = {"elsewhere": elsewhere, "resync": fleet, **({"even": fleet} if options.even else {})}
            windows = Windows(bench, steady, ("quiet", *fleets))
            for _ in range(options.rounds):
                windows.measure("quiet", lambda: time.sleep(options.seconds))
                for kind, its_fleet in fleets.items():
                    with _evenly(bench.system.api.pid) if kind == "even" else contextlib.nullcontext():
                        events = windows.measure(kind, lambda its_fleet=its_fleet: _resync_for(its_fleet, options.seconds))
                    bench.note(f"{kind}: {events / options.seconds:,.0f} sets a second")
                    its_fleet.ask("connect 0")
                    time.sleep(REST)
            _resync_to_its_end(bench, fleet, options)
            windows.report()
            windows.compare("resync", "elsewhere")
    finally:
        bench.close()
        decoy.close()


def _filled(directory, options):
    """An API that has just read and written its store, so with it in the page cache."""
    directory.mkdir()
    filler = Bench(directory, options, regions=())
    filler.options.refill = options.refill
    _copy_filled(filler, options.sets, directory / "filled")
    bench = Bench(directory / "filled", options, regions=())
    bench.start()
    bench.system.api.stop()
    begin = time.monotonic()
    bench.system.api.start()
    print(f"  start with {options.sets:,} sets: {time.monotonic() - begin:.2f} s, {resident_bytes(bench.system.api.pid) / 1e6:.0f} MB", flush=True)
    prioritize(bench.system.api.pid, options.priority)
    return bench


@contextlib.contextmanager
def _evenly(pid):
    """The threads that give way do not, meanwhile. libs/common/background_pool.h."""
    own = os.getpriority(os.PRIO_PROCESS, pid)
    lowered = [thread for thread, niceness in niceness_of(pid).items() if niceness > own]
    schedule(lowered, own, 0)
    yield
    schedule(lowered, own + NICENESS, SLICE)


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
