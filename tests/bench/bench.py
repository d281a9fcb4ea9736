"""./dev bench: the first six rows of DESIGN.md section 13 and REST beside gRPC, as ratios of ours to a reference that is measured in turns with it.

usage: bench.py [--rounds N] [--seconds S] [--sets N] [--rest]
A ratio is printed as median [least .. most] over the rounds. Absolute numbers of a shared machine say little; they stand in brackets.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.setdefault("KEYFERRY_BIN", str(ROOT / "build/release/bin")))
sys.path.insert(0, str(ROOT / "tests/system"))

from harness import System, wait_for  # noqa: E402  (reads KEYFERRY_BIN)


def parse(output):
    return {name: float(value) for name, value in (each.split("=") for each in output.split())}


class Bench:
    def __init__(self, directory, options):
        self.options = options
        self.directory = directory
        # One key calls as fast as it can.
        self.system = System(directory / "system", regions=("us-west",), api_flags=(
            "--key-calls-per-second", "0", "--organization-calls-per-second", "0", "--address-calls-per-second", "0"))
        self.echo = None

    def start(self):
        self.system.start()
        self.system.operator().ok("--organization", "acme", "orgs", "quota", "set", "--max-secret-sets", "10000000")
        certificates = self.system.certificates
        self.echo = subprocess.Popen([BIN / "echo_server", certificates / "api.pem", certificates / "api.key"], stdout=subprocess.PIPE,
                                     text=True)
        self.echo_address = self.echo.stdout.readline().strip()
        self.api_address = f"127.0.0.1:{self.system.settings['ports']['edge']}"
        self.gateway_address = f"localhost:{self.system.settings['ports']['gateway']}"
        self.client("set", self.api_address, 256, 1)
        self.system.user().ok("secrets", "wait", "bench-0")

    def close(self):
        if self.echo:
            self.echo.terminate()
            self.echo.wait()
        self.system.stop()

    def client(self, mode, address, clients, seconds=None, count=0, program="bench_client"):
        result = subprocess.run([BIN / program, mode, address, self.system.ca, self.system.settings["api_key"], str(clients),
                                 str(seconds or self.options.seconds), str(count)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SystemExit(f"{program} {mode}: {result.stderr}{result.stdout}")
        return parse(result.stdout)

    def disk(self, *arguments):
        directory = self.directory / "raw"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        result = subprocess.run([BIN / "raw_disk", arguments[0], directory, str(self.options.seconds / 2), *map(str, arguments[1:])],
                                capture_output=True, text=True, check=True)
        return parse(result.stdout)

    def row(self, title, goal, measure):
        """`measure` answers (ours, reference, ratio) of one round."""
        rounds = [measure() for _ in range(self.options.rounds)]
        ratios = [ratio for _, _, ratio in rounds]
        ours, reference = (statistics.median(column) for column in list(zip(*rounds))[:2])
        print(f"{title:<66} {statistics.median(ratios):5.2f} [{min(ratios):.2f} .. {max(ratios):.2f}]  goal {goal:<7} "
              f"({ours:.0f} to {reference:.0f})", flush=True)

    # The rows.

    def throughput(self, mode, clients):
        def measure():
            reference = self.client(mode, self.echo_address, clients)["calls_per_second"]
            ours = self.client(mode, self.api_address, clients)["calls_per_second"]
            return ours, reference, ours / reference
        return measure

    def rest(self, mode, clients):
        """The gateway's calls/s beside the API's own; collects p50 and p99 of both."""
        def measure():
            grpc = self.client(mode, self.api_address, clients)
            rest = self.client(mode, self.gateway_address, clients, program="rest_client")
            self.latencies.append((rest, grpc))
            return rest["calls_per_second"], grpc["calls_per_second"], rest["calls_per_second"] / grpc["calls_per_second"]
        return measure

    def rest_row(self, mode, clients):
        self.latencies = []
        self.row(f"R REST {mode} / gRPC {mode}, {clients} client{'s' if clients > 1 else ''}, calls/s", "none", self.rest(mode, clients))
        shown = [" ".join(f"{percentile} {statistics.median(each[side][percentile + '_us'] for each in self.latencies):.0f} us"
                          for percentile in ("p50", "p99")) for side in (0, 1)]
        print(f"    REST {shown[0]}; gRPC {shown[1]}", flush=True)

    def set_latency(self):
        round_trip = self.client("set", self.echo_address, 1)["p50_us"]
        commit = self.disk("commit", 1, 5, 1024)["p50_us"]
        ours = self.client("set", self.api_address, 1)["p50_us"]
        return ours, round_trip + commit, ours / (round_trip + commit)

    def ready_latency(self):
        round_trip = self.client("set", self.echo_address, 1)["p50_us"]
        sync = self.disk("fdatasync")["p50_us"]
        ours = self.client("ready", self.api_address, 1)["p50_us"]
        reference = 3 * (round_trip + sync)
        return ours, reference, ours / reference

    def resync(self):
        """A fresh region gets everything; the sets are made while it is away."""
        raw = self.disk("commit", 64, 3, 100)["per_second"]
        provisioner = self.system.provisioners["us-west"]
        provisioner.stop()
        for path in (self.system.region_data("us-west"), self.system.files("us-west")):
            shutil.rmtree(path)
            path.mkdir(mode=0o700)
        operator = self.system.operator()
        shown = self.system.files("us-west") / "sets" / "acme"
        total = len(self.system.user().json("secrets", "list")["sets"])
        start = time.monotonic()
        provisioner.start()
        wait_for(lambda: operator.json("regions", "show", "us-west")["provisioners"], "the region is connected", 30)
        # What was ready before the wipe is in no pending index: its files tell that it is back.
        wait_for(lambda: len(os.listdir(shown)) >= total if shown.exists() else False, "the region shows everything", 1800, 0.2)
        wait_for(lambda: operator.json("regions", "show", "us-west")["pendingCount"] == 0, "the region holds everything", 1800, 0.2)
        ours = total / (time.monotonic() - start)
        return ours, raw, ours / raw

    def rest_rows(self):
        for mode in ("get", "gate", "set"):
            for clients in (1, 64):
                self.rest_row(mode, clients)

    def run(self):
        print(f"rounds {self.options.rounds}, {self.options.seconds} s each; ratio: median [least .. most]; (ours to reference)")
        for clients in (64, 256):
            self.row(f"1 gate (validate_only) / empty echo, {clients} clients, calls/s", ">= 0.95", self.throughput("gate", clients))
        for clients in (64, 256):
            self.row(f"2 durable set (4 x 1 KiB) / echo of the same size, {clients} clients", ">= 0.60", self.throughput("set", clients))
        print("3 durable set / etcd transaction of the same rows: not measured here (needs etcd-server; goal >= 2.0)")
        self.rest_rows()
        self.row("4 durable set p50, 1 client / (round trip + commit), us", "<= 1.2", self.set_latency)
        self.row("5 set -> ready p50, 1 client / 3 x (fdatasync + round trip), us", "<= 1.0", self.ready_latency)
        self.client("fill", self.api_address, 64, 3600, self.options.sets)
        self.options.rounds = min(self.options.rounds, 3)
        self.row(f"6 full resync of {self.options.sets} sets, sets ready/s / raw commits/s", ">= 0.5", self.resync)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rest", action="store_true", help="the REST rows alone")
    parser.add_argument("--sets", type=int, default=100_000)
    directory = Path(tempfile.mkdtemp(prefix="bench-", dir=BIN.parent))
    bench = Bench(directory, parser.parse_args())
    try:
        bench.start()
        bench.rest_rows() if bench.options.rest else bench.run()
    finally:
        bench.close()
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
