"""Hours of steady load. usage: soak.py --hours H [--seed S] [--pause MILLISECONDS]

load_client writes, deletes, deploys and compares at a limited rate; every half a minute connections between provisioners and API are cut, and some key is
rotated. Each ten seconds memory, descriptors (but those of the store's tables, of which there are more as the store grows), threads, disk and the 99th percentile
of the calls are noted for every daemon (samples.json); at the end lines are fitted to the means of ten equal pieces of what came after the first third, in which
caches fill. Flat: resident memory, descriptors and threads grow by at most 1 (MiB) an hour, within twice the error of the fit. Exit codes as crash_campaign.py.
"""

import argparse
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from campaign_world import WorldSystem
from chaos_proxy import ChaosProxy
from crash_campaign import Region
from harness import BIN, SystemFailure, free_port
from rotation_campaign import RotationCampaign

SAMPLE_SECONDS = 10
TROUBLE_SECONDS = 30
PIECES = 10
# An hour's growth that counts as flat, in the unit of the figure.
ALLOWED = {"rss_mib": 1.0, "descriptors": 1.0, "threads": 1.0}


def slope(points):
    """(growth per hour, its standard error) of the line through (seconds, value)."""
    count = len(points)
    if count < 3:
        return 0.0, float("inf")
    mean_time = sum(time for time, _ in points) / count
    mean = sum(value for _, value in points) / count
    spread = sum((time - mean_time) ** 2 for time, _ in points)
    growth = sum((time - mean_time) * (value - mean) for time, value in points) / spread
    rest = sum((value - mean - growth * (time - mean_time)) ** 2 for time, value in points)
    return growth * 3600, (rest / (count - 2) / spread) ** 0.5 * 3600


def means(points, count):
    """The points' means in as many pieces, each (seconds, value): neighbouring samples tell much the same, and a fit to them all would trust itself too much."""
    pieces = [points[len(points) * i // count:len(points) * (i + 1) // count] for i in range(count)]
    return [tuple(sum(each) / len(piece) for each in zip(*piece)) for piece in pieces if piece]


def descriptors_of(pid):
    """Open descriptors, without those of the store's tables."""
    names = []
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except FileNotFoundError:
            continue
    return sum(not name.endswith(".sst") for name in names)


def quantile(before, after, share):
    """Upper bound of the bucket in which this share of the observations between two scrapes of a histogram lies; None without any."""
    counts = {bound: after[bound] - before.get(bound, 0) for bound in after}
    total = counts.get(float("inf"), 0)
    return next((bound for bound in sorted(counts) if total and counts[bound] >= share * total), None)


def buckets_of(text, name):
    """Cumulative counts by upper bound, over all labels, of a histogram in a scrape."""
    found = {}
    for bound, count in re.findall(rf'^{name}_bucket{{[^}}]*le="([^"]+)"[^}}]*}} (\S+)$', text, re.M):
        found[float(bound)] = found.get(float(bound), 0) + float(count)
    return found


class Soak(RotationCampaign):
    HISTOGRAMS = {"api": "keyferry_api_call_duration_seconds", "provisioner": "keyferry_provisioner_apply_duration_seconds"}

    def __init__(self, directory, seed, pause):
        self.proxies, self.metrics = {}, {}
        super().__init__(directory, seed)
        self.system = WorldSystem(self, directory, self.system.regions, environment_of=self._environment_of, log_level="warning")
        self.pause = pause
        self.samples, self.scrapes = {}, {}

    def proxy(self, name, target):
        if name not in self.proxies:
            self.proxies[name] = ChaosProxy(name, target, self.seed)
        return self.proxies[name]

    def run_for(self, seconds):
        self.system.start()
        for daemon in self._daemons():
            self.metrics[daemon.name] = free_port()
            daemon.command += ["--metrics-listen", f"127.0.0.1:{self.metrics[daemon.name]}"]
            daemon.stop()
            daemon.start()
        self.regions = [Region(self.system, name, self.disks[f"{name}-1"]) for name in self.system.regions]
        self._start_client()
        begin = time.monotonic()
        next_trouble = TROUBLE_SECONDS
        while (now := time.monotonic() - begin) < seconds and self.client.poll() is None:
            self._sample(now)
            if now > next_trouble:
                next_trouble += TROUBLE_SECONDS
                self._trouble()
            time.sleep(SAMPLE_SECONDS)
        return self._finish()

    def _daemons(self):
        return [self.system.api, *self.system.provisioners.values()]

    def _trouble(self):
        proxy = self.dice.choice(list(self.proxies.values()))
        self.dice.choice([proxy.reset_all, proxy.cut_all])()
        self.counts["reconnects"] += 1
        rotate = self.dice.choice([self.rotate_root, self.rotate_organization, self.rotate_system, self.rotate_region])
        self.counts[rotate.__name__] += bool(rotate())

    def _sample(self, now):
        for daemon in self._daemons():
            if not daemon.pid:
                raise SystemFailure(f"{daemon.name} ended by itself\n{daemon.tail()}")
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            data = self.system.api_data if daemon is self.system.api else self.system.region_data(daemon.name.rpartition("-")[0])
            figures = {"rss_mib": int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, "threads": int(re.search(r"Threads:\s+(\d+)", status)[1]),
                       "descriptors": descriptors_of(daemon.pid),
                       "disk_mib": sum(path.stat().st_blocks for path in data.rglob("*") if path.exists()) / 2048, "p99_ms": self._p99(daemon)}
            for name, value in figures.items():
                if value is not None:
                    self.samples.setdefault(daemon.name, {}).setdefault(name, []).append((now, value))

    def _p99(self, daemon):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics[daemon.name]}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        after = buckets_of(text, self.HISTOGRAMS["api" if daemon is self.system.api else "provisioner"])
        before = self.scrapes.get(daemon.name, {})
        self.scrapes[daemon.name] = after
        bound = quantile(before, after, 0.99)
        return None if bound is None else bound * 1000

    def verdicts(self):
        """(daemon, figure, first, last, growth per hour, error, flat) of everything that was sampled."""
        for daemon, figures in self.samples.items():
            for name, points in figures.items():
                settled = points[len(points) // 3:]
                growth, error = slope(means(settled, PIECES))
                yield daemon, name, settled[0][1], settled[-1][1], growth, error, growth - 2 * error <= ALLOWED.get(name, float("inf"))

    def close(self):
        super().close()
        for proxy in self.proxies.values():
            proxy.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--pause", type=int, default=100, help="milliseconds of each worker between two steps")
    options = parser.parse_args()
    print(f"soak: hours={options.hours} seed={options.seed} pause={options.pause}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="soak-", dir=BIN.parent))
    soak = Soak(directory, options.seed, options.pause)
    try:
        code, report = soak.run_for(options.hours * 3600)
    except SystemFailure as failure:
        code, report = 1, f"violation: {failure}\n"
    finally:
        soak.close()
    flat = True
    for daemon, name, first, last, growth, error, good in soak.verdicts():
        flat &= good
        print(f"{daemon:12} {name:12} {first:9.1f} -> {last:9.1f}  {growth:+9.2f} an hour, error {error:.2f}{'' if good else '  NOT FLAT'}")
    print(report, end="")
    print(json.dumps({"soak": "passed" if code == 0 and flat else "FAILED", "flat": flat, "seed": options.seed, "hours": options.hours, **soak.counts}))
    if code == 0 and flat:
        shutil.rmtree(directory)
    else:
        (directory / "samples.json").write_text(json.dumps(soak.samples))
        print(f"logs and samples: {directory}")
    return code or (0 if flat else 1)


if __name__ == "__main__":
    sys.exit(main())
