"""Calls at a fixed rate beside a disturbance, and how their windows compare. steady_client.cc."""

import contextlib
import ctypes
import errno
import os
import platform
import statistics
import struct
import subprocess
import time

from harness import DIE_WITH_PARENT
from measure import Meter, duration, peak_bytes, reset_peak
from rig import BIN, BenchFailure, Fleet, parse

SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}[platform.machine()]
KINDS = ("gate", "get", "set", "ready")
REGIONS = 4
CONNECTIONS = 4


def prioritize(pid, niceness):
    """All threads of a process; those that give way to the others go on doing so."""
    for thread, present in niceness_of(pid).items() if niceness else ():
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, thread, present + niceness)


def niceness_of(pid):
    """By thread."""
    found = {}
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with contextlib.suppress(ProcessLookupError):
            found[thread] = os.getpriority(os.PRIO_PROCESS, thread)
    return found


def schedule(threads, niceness, slice_seconds):
    """sched_setattr(2), its attributes of version 0; no slice is the kernel's own."""
    attributes = struct.pack("<IIQiIQQQ", 48, os.SCHED_OTHER, 0, niceness, 0, round(slice_seconds * 1e9), 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    for thread in threads:
        if libc.syscall(SCHED_SETATTR, thread, attributes, 0) != 0 and ctypes.get_errno() != errno.ESRCH:
            raise BenchFailure(f"sched_setattr: {os.strerror(ctypes.get_errno())}; to raise a thread's priority takes root")


class Steady:
    """The calls, and a fleet that owns the regions they write to."""

    def __init__(self, bench, options):
        self.fleet = Fleet(bench, "calm", niceness=options.priority)
        self.fleet.ask(f"connect {REGIONS}")
        fifth = max(options.rate // 5, 1)
        rates = {"gate": 2 * fifth, "get": 2 * fifth, "set": max(fifth // 2, 1), "ready": max(fifth // 2, 1)}
        self.process = subprocess.Popen(
            [*DIE_WITH_PARENT, "nice", "-n", str(options.priority), BIN / "steady_client", "mix", bench.api_address, bench.system.ca,
             bench.system.settings["api_key"], str(CONNECTIONS), "0", "region=calm", f"regions={REGIONS}", *(f"{kind}={rate}" for kind, rate in rates.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "steady\n":
            raise BenchFailure("steady_client ended as it began")

    def take(self):
        """What ended since it was asked last."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise BenchFailure("steady_client ended")
        return parse(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.fleet.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Windows:
    """Windows of several kinds, in turns; the first kind is the quiet one."""

    def __init__(self, bench, steady, kinds):
        self.bench = bench
        self.steady = steady
        self.said = {kind: [] for kind in kinds}

    def measure(self, kind, act):
        """What `act` answers; the calls that end meanwhile are this window's."""
        pid = self.bench.system.api.pid
        reset_peak(pid)
        self.steady.take()
        begin = time.monotonic()
        with Meter([pid]) as meter:
            answer = act()
        said = self.steady.take()
        said |= {"seconds": time.monotonic() - begin, "cpu": meter.seconds[0], "peak_mb": peak_bytes(pid) / 1e6}
        if said["errors"]:
            self.bench.note(f"{said['errors']:.0f} calls of this {kind} window failed")
        self.said[kind].append(said)
        return answer

    def values(self, kind, name):
        return [said[name] for said in self.said[kind] if name in said]

    def _ratios(self, kind, name, against):
        return [ours / theirs for ours, theirs in zip(self.values(kind, name), self.values(against, name))]

    def compare(self, kind, against):
        ratios = {call: self._ratios(kind, f"{call}_p99_us", against) for call in KINDS}
        print(f"  p99 {kind} ÷ {against}: " + ", ".join(f"{call} {spread(values)}" for call, values in ratios.items() if values), flush=True)

    def report(self):
        for kind, said in self.said.items():
            if not said:
                continue
            calls = " ".join(f"{call} {self._percentiles(kind, call)}" for call in KINDS if self.values(kind, f"{call}_p99_us"))
            errors = sum(self.values(kind, "errors"))
            print(f"  {kind:<9} {spread(self.values(kind, 'seconds'), 's')}, API {spread(each['cpu'] / each['seconds'] for each in said)} cores, "
                  f"peak {max(self.values(kind, 'peak_mb')):.0f} MB, {errors:.0f} errors\n            p50 / p99 / most: {calls}", flush=True)
        for kind in list(self.said)[1:]:
            self.compare(kind, next(iter(self.said)))

    def _percentiles(self, kind, call):
        return " / ".join(duration(statistics.median(self.values(kind, f"{call}_{name}_us"))) for name in ("p50", "p99", "max")) + ";"


def spread(values, unit=""):
    values = list(values)
    text = f"{statistics.median(values):.2f}"
    if len(values) > 1:
        text += f" [{min(values):.2f} .. {max(values):.2f}]"
    return text + (f" {unit}" if unit else "")
