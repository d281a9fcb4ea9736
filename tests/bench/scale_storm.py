"""All provisioners lose their connections at once, and come back; then the API is killed and comes back."""

import time

from measure import cpu_seconds, peak_bytes
from rig import Bench, Fleet
from steady import Steady, Windows, prioritize, spread

PATIENCE = 600
# Until what a storm left behind is gone.
REST = 5


def storm(directory, options):
    """The quiet windows' neighbour: the same storm upon another API of the machine tells what sharing the cores costs."""
    count = options.provisioners
    bench, decoy = (Bench(directory / name, options, regions=()) for name in ("api", "decoy"))
    bench.start()
    decoy.start()
    try:
        prioritize(bench.system.api.pid, options.priority)
        prioritize(decoy.system.api.pid, options.priority)
        with Fleet(bench, "storm", far=True) as fleet, Fleet(decoy, "storm", far=True) as elsewhere:
            for each, its_fleet in ((bench, fleet), (decoy, elsewhere)):
                _connect(each, its_fleet, count)
            _cut_in_turns(bench, fleet, elsewhere, options)
            elsewhere.ask("connect 0")
            _kill(bench, fleet, options)
    finally:
        bench.close()
        decoy.close()


def _connect(bench, fleet, count):
    """A set in each region."""
    fleet.ask(f"regions {count}")
    bench.client("fill", bench.api_address, 64, 3600, count=count, region="storm", regions=count)
    fleet.ask(f"connect {count}")
    fleet.ask(f"recover {PATIENCE}")


def _cut_in_turns(bench, fleet, elsewhere, options):
    returned = []

    def cut(which, times):
        begin = time.monotonic()
        which.ask("cut")
        said = which.ask(f"recover {PATIENCE}")
        times.append(time.monotonic() - begin)
        bench.note(f"synced again after {times[-1]:.1f} s; {said['connected']:.0f} connected; {said['ended']:.0f} streams ended so far")
        return said["ended"]
    with Steady(bench, options) as steady:
        windows = Windows(bench, steady, ("quiet", "elsewhere", "storm"))
        for _ in range(options.rounds):
            windows.measure("quiet", lambda: time.sleep(options.seconds))
            windows.measure("elsewhere", lambda: cut(elsewhere, []))
            time.sleep(REST)
            ended = windows.measure("storm", lambda: cut(fleet, returned))
            time.sleep(REST)
    print(f"  {options.provisioners:,} connections cut: all synced again after {spread(returned, 's')}; {ended:,.0f} streams ended in {options.rounds} storms")
    windows.report()


def _kill(bench, fleet, options):
    """Nobody calls meanwhile."""
    before = fleet.ask("counts")["ended"]
    begin = time.monotonic()
    bench.system.api.kill()
    bench.system.api.start()
    prioritize(bench.system.api.pid, options.priority)
    started = time.monotonic() - begin
    said = fleet.ask(f"recover {PATIENCE}")
    pid = bench.system.api.pid
    print(f"  API killed: ready again after {started:.2f} s, all synced after {time.monotonic() - begin:.1f} s; {said['ended'] - before:,.0f} streams ended; "
          f"CPU {cpu_seconds(pid):.1f} s, memory at the peak {peak_bytes(pid) / 1e6:.0f} MB", flush=True)
