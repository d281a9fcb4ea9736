"""./dev bench [ROW...]: the rows of DESIGN.md section 13, growth, and cost, as ratios of ours to a reference that is measured in turns with it.

A ratio is printed as median [least .. most] over the rounds; with it per second, p50 / p99 / p999, the server's CPU a call (user and kernel time of
its process) and its memory. Absolute numbers of a shared machine say little. docs/performance.md explains each row.
"""

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rig import BIN, ROOT, Bench, BenchFailure, SystemFailure
from measure import Report
import rows_calls
import rows_cost
import rows_delivery
import rows_etcd
import rows_scale

ROWS = {
    "gate": (rows_calls.gate, "1: the deploy gate"),
    "set": (rows_calls.durable_set, "2: a durable set, its region connected and away"),
    "etcd": (rows_etcd.etcd, "3: beside etcd"),
    "latency": (rows_calls.set_latency, "4: a durable set, one client"),
    "ready": (rows_calls.ready_latency, "5: set → ready"),
    "rest": (rows_calls.rest, "REST beside gRPC"),
    "watch": (rows_delivery.fan_out, "7: changes to 64 watches"),
    "resync": (rows_delivery.resync, "6: full resync"),
    "provisioners": (rows_scale.provisioners, "8: memory, and growth to 2,000 provisioners"),
    "sets": (rows_scale.sets, "9: start, and growth to 1 M sets"),
    "cost": (rows_cost.cost, "bytes on disk per set, write amplification"),
}
QUICK = {"rounds": 1, "seconds": 0.3, "sets": 300, "provisioners": 10, "scale": 1000, "cost_sets": 100}


def arguments():
    listed = "\n".join(f"  {name:<13} {title}" for name, (_, title) in ROWS.items())
    parser = argparse.ArgumentParser(prog="./dev bench", description=f"{__doc__}\nrows:\n{listed}", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=[[], *ROWS], help="all where none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of each run of each side")
    parser.add_argument("--sets", type=int, default=100_000, help="of the full resync")
    parser.add_argument("--provisioners", type=int, default=2000, help="at most so many")
    parser.add_argument("--scale", type=int, default=1_000_000, help="growth up to so many sets")
    parser.add_argument("--cost-sets", type=int, default=5000)
    parser.add_argument("--refill", action="store_true", help="make what build/release/bench keeps for growth anew")
    parser.add_argument("--quick", action="store_true", help="everything, small: whether it runs, not how fast")
    parser.add_argument("--markdown", action="store_true", help="the tables of docs/performance.md on standard output, all else on standard error")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all samples")
    parser.add_argument("--keep-going", action="store_true", help="a row that fails is told, and the others still run")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


def machine_facts(options):
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "?")
    return {"date": datetime.date.today().isoformat(), "commit": commit, "machine": f"{os.cpu_count()} × {model}, {platform.system()} {platform.release()}",
            "command": " ".join(["./dev bench", *sys.argv[1:]]), "load": os.getloadavg()[0],
            "options": {name: value for name, value in vars(options).items() if name not in ("json", "rows")}}


def run_rows(bench, report, options):
    """Answers the names of rows that failed."""
    failed = []
    for name in (each for each in ROWS if not options.rows or each in options.rows):
        begin = time.monotonic()
        try:
            ROWS[name][0](bench, report)
        except (BenchFailure, SystemFailure) as failure:
            if not options.keep_going:
                raise
            failed.append(name)
            bench.note(f"{name} FAILED: {failure}")
        bench.note(f"{name}: {time.monotonic() - begin:.0f} s")
    return failed


def main():
    options = arguments()
    out = sys.stderr if options.markdown else sys.stdout
    facts = machine_facts(options)
    print(f"{facts['date']} {facts['commit']} on {facts['machine']}, load {facts['load']:.1f}; {options.rounds} rounds of {options.seconds} s; ratio: median "
          "[least .. most]; per second, p50 / p99 / p999, server's CPU a call, its memory", file=out, flush=True)
    report = Report(lambda text: print(text, file=out, flush=True))
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=BIN.parent))
    bench = Bench(directory, options)
    bench.note = lambda text: print(f"    ({text})", file=out, flush=True)
    try:
        bench.start()
        failed = run_rows(bench, report, options)
    except (BenchFailure, SystemFailure) as failure:
        raise SystemExit(str(failure)) from None
    finally:
        bench.close()
        shutil.rmtree(directory, ignore_errors=True)
    if options.markdown:
        print(f"`{facts['command']}`, {facts['date']}, {facts['commit']}, {facts['machine']}\n\n{report.markdown()}")
    if options.json:
        options.json.write_text(report.json(facts))
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
