"""Bad consumers beside healthy ones: provisioners that read a byte a second, read nothing, are stopped, half-open, never ack or fail everything; watches
that are stopped or read a byte a second. Calls go on in regions of their own, and somebody writes for the bad ones all the time."""

import signal
import subprocess
import time

from chaos_proxy import ChaosProxy
from harness import DIE_WITH_PARENT
from measure import peak_bytes, resident_bytes
from rig import BIN, Bench, BenchFailure, Fleet
from steady import Steady, Windows, prioritize

EACH = 8
WRITES_A_SECOND = 40
# name: how it connects, and what it does once it owns its regions.
KINDS = ("drip", "unread", "half-open", "stopped", "never", "fail")
# After so long each kind must be gone, by what docs/provisioning-protocol.md and libs/rpc/server.cc name: lease, keepalive, stalls. `fail` may stay.
LEASE, KEEPALIVE, STALLS = 15, 80, 180
ENDS_WITHIN = {"drip": STALLS, "unread": STALLS, "half-open": LEASE, "stopped": LEASE, "never": STALLS}
SLACK = 10


class Bad:
    """EACH provisioners of one kind. They are well until `spoil`."""

    def __init__(self, bench, kind, options):
        self.kind = kind
        self.prefix = f"bad-{kind}"
        port = int(bench.inner_address.rpartition(":")[2])
        self.proxy = ChaosProxy(kind, port) if kind in ("drip", "unread", "half-open") else None
        address = f"127.0.0.1:{self.proxy.port}" if self.proxy else None
        self.fleet = Fleet(bench, self.prefix, address, options.priority)
        self.fleet.ask(f"regions {EACH}")

    def spoil(self):
        """The way to the API stays good in `drip` and `unread`: heartbeats arrive."""
        if self.kind == "drip":
            self.proxy.set("drip", ("down",))
        elif self.kind == "unread":
            self.proxy.set("stall", ("down",))
        elif self.kind == "half-open":
            self.proxy.set("swallow")
        elif self.kind == "stopped":
            self.fleet.process.send_signal(signal.SIGSTOP)
        else:
            self.fleet.ask(self.kind)

    def mend(self):
        if self.kind == "stopped":
            self.fleet.process.send_signal(signal.SIGCONT)
        if self.proxy:
            self.proxy.clear(reset=True)
        self.fleet.ask("ready")
        self.fleet.ask("cut")

    def connected(self, operator):
        return sum(bool(operator.json("regions", "show", f"{self.prefix}-{i}")["provisioners"]) for i in range(EACH))

    def close(self):
        self.mend()
        self.fleet.close()
        if self.proxy:
            self.proxy.close()


class Watches:
    """EACH watches of the organization in one process, stopped or behind a proxy that lets a byte a second through."""

    def __init__(self, bench, kind):
        self.kind = kind
        port = int(bench.api_address.rpartition(":")[2])
        self.proxy = ChaosProxy(kind, port)
        self.process = subprocess.Popen([*DIE_WITH_PARENT, BIN / "watch_client", f"127.0.0.1:{self.proxy.port}", bench.system.ca,
                                         bench.system.settings["api_key"], str(EACH), "36000"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.process.stdout.readline() != "watching\n":
            raise BenchFailure("watch_client ended as it began")
        if kind == "stopped":
            self.process.send_signal(signal.SIGSTOP)
        else:
            self.proxy.set("drip", ("down",))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.proxy.close()


def slow(directory, options):
    bench = Bench(directory, options, regions=())
    bench.start()
    bads, writer = [], None
    try:
        prioritize(bench.system.api.pid, options.priority)
        bads = [Bad(bench, kind, options) for kind in KINDS]
        writer = _write_for(bench, options)
        with Steady(bench, options) as steady:
            windows = Windows(bench, steady, ("quiet", "beside"))
            for _ in range(options.rounds):
                windows.measure("quiet", lambda: time.sleep(options.seconds))
                watches = _spoil(bench, bads)
                windows.measure("beside", lambda: time.sleep(options.seconds))
                _mend(bads, watches)
            windows.report()
            late = _until_ended(bench, bads) if options.until_ended else []
        print(f"  the API has {resident_bytes(bench.system.api.pid) / 1e6:.0f} MB, {peak_bytes(bench.system.api.pid) / 1e6:.0f} MB at the peak", flush=True)
        if late:
            raise BenchFailure(f"not ended in time: {', '.join(late)}")
    finally:
        if writer:
            writer.kill()
            writer.wait()
        for bad in bads:
            bad.close()
        bench.close()


def _write_for(bench, options):
    """Fresh values for the bad ones' regions, whether they take them or not."""
    codes = ";".join(f"bad-{kind}" for kind in KINDS)
    process = subprocess.Popen([*DIE_WITH_PARENT, "nice", "-n", str(options.priority), BIN / "steady_client", "mix", bench.api_address, bench.system.ca,
                                bench.system.settings["api_key"], "1", "0", f"set={WRITES_A_SECOND}", "name=bad", f"sets={len(KINDS) * EACH}",
                                f"region={codes}", f"regions={EACH}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "steady\n":
        raise BenchFailure("the writer ended as it began")
    return process


def _spoil(bench, bads):
    """All are connected and own their regions, then they go bad."""
    for bad in bads:
        bad.fleet.ask(f"connect {EACH}")
    watches = [Watches(bench, kind) for kind in ("stopped", "drip")]
    for bad in bads:
        bad.spoil()
    return watches


def _mend(bads, watches):
    for watch in watches:
        watch.close()
    for bad in bads:
        bad.mend()
        bad.fleet.ask("connect 0")


def _until_ended(bench, bads):
    """Answers the kinds that were not, or too late."""
    watches = _spoil(bench, bads)
    operator = bench.system.operator()
    begin, ended = time.monotonic(), {}
    while time.monotonic() - begin < STALLS + SLACK and len(ended) < len(ENDS_WITHIN):
        for bad in bads:
            if bad.kind in ENDS_WITHIN and bad.kind not in ended and bad.connected(operator) == 0:
                ended[bad.kind] = time.monotonic() - begin
        time.sleep(0.5)
    _mend(bads, watches)
    for kind, limit in ENDS_WITHIN.items():
        took = f"{ended[kind]:.1f} s" if kind in ended else "NOT ENDED"
        print(f"  {kind:<9} ended after {took}, within {limit} s is promised", flush=True)
    return [kind for kind, limit in ENDS_WITHIN.items() if ended.get(kind, float("inf")) > limit + SLACK]
