"""What a secret costs on disk: bytes per set, by kind of row, and bytes written per byte given, with 1 and with all kept generations."""

from measure import Table, directory_bytes, number, written_bytes
from rig import Bench, Fleet, parse, run_program
from rows_scale import settle

ENTRIES, VALUE_BYTES = 4, 1024
USER_BYTES = ENTRIES * VALUE_BYTES
REGION = "fleet-0"
# Written so often in all. 10 generations are kept: at 20 nothing more may stay than at 10.
STAGES = (1, 10, 20)


def cost(bench, report):
    own = Bench(bench.directory / "cost", bench.options, regions=())
    own.start()
    try:
        _cost(own, report)
    finally:
        own.close()


def _families(data):
    lines = run_program("store_tool", "families", data).splitlines()
    return {line.split()[0]: parse(" ".join(line.split()[1:])) for line in lines}


def _cost(bench, report):
    count = bench.options.cost_sets
    lines, kinds = [], {}
    written_times = 0
    empty = _measure_stopped(bench)[0]
    for times in STAGES:
        written = _write(bench, count, times - written_times)
        calls, written_times = count * (times - written_times), times
        before = _size(bench.system.api_data)
        size, kinds[times] = _measure_stopped(bench)
        lines.append([times, min(times, 10), number((before - empty) / count), number((size - empty) / count), f"{(size - empty) / count / USER_BYTES:.2f}",
                      number(written / calls), f"{written / calls / USER_BYTES:.2f}"])
    report.add(Table(f"Cost of a set of {ENTRIES} × {VALUE_BYTES} bytes ({count:,} sets; READY in a region; audit trail in it)",
                     ["times written", "generations kept", "bytes on disk per set, log and all, as it runs", "the same, compacted", "÷ bytes given",
                      "bytes written per call", "÷ bytes given (write amplification)"], lines))
    report.add(Table("Bytes of rows per set, compacted, by kind of row", ["kind", *(f"written {times}×" for times in STAGES)],
                     [[kind, *(f"{kinds[times][kind]['bytes'] / count:,.0f} in {kinds[times][kind]['rows'] / count:.1f} rows" for times in STAGES)]
                      for kind in kinds[STAGES[-1]] if kinds[STAGES[-1]][kind]["rows"] > count / 10]))


def _write(bench, count, times):
    """Bytes that the API caused to be written: the kernel's count of pages, without the log that the harness keeps of it."""
    with Fleet(bench) as fleet:
        fleet.ask("connect 1")
        pid, log = bench.system.api.pid, bench.system.api.log
        before = written_bytes(pid) - log.stat().st_size
        for _ in range(times):
            bench.client("fill", bench.api_address, 64, 3600, count=count, region=REGION, entries=ENTRIES, bytes=VALUE_BYTES)
        settle(bench, fleet)
        return written_bytes(pid) - log.stat().st_size - before


def _size(data):
    """Without what is kept free for a full disk."""
    return directory_bytes(data) - (data / "ballast").stat().st_blocks * 512


def _measure_stopped(bench):
    """Directory's bytes and kinds of rows, of the compacted store."""
    data = bench.system.api_data
    bench.system.api.stop()
    run_program("store_tool", "compact", data)
    size, kinds = _size(data), _families(data)
    bench.system.api.start()
    return size, kinds
