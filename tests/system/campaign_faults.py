"""The faults of the campaign. Each is a generator: up to its `yield` it strikes, and it gives what can be asked whether the fault has really fired;
behind it, it heals. What it disturbs of a region is said to the checker by `disturb`.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from typing import Callable, NamedTuple

from harness import BIN, SystemFailure, wait_for

DAY = 86400
JUMPS = (5, -5, 3600, -3600, 3650 * DAY, -3650 * DAY)


class Fault(NamedTuple):
    strike: Callable
    # Seconds that it lasts, from and to.
    lasts: tuple = (0, 0)
    # Calls are answered while it lasts.
    load_goes_on: bool = False


def victim(world):
    """The API or a provisioner."""
    return world.dice.choice([world.system.api, world.dice.choice(world.regions).daemon])


@contextlib.contextmanager
def disturb(world, daemons):
    """While it lasts, and for a while after, what the regions of these daemons show proves nothing."""
    regions = [region for region in world.regions if region.daemon in daemons]
    begin = time.monotonic_ns()
    for region in regions:
        region.raise_epoch()
    try:
        yield
    finally:
        for region in regions:
            region.raise_epoch()
        # An API that starts again or does not answer may have to ask its regions again, too.
        world.disturbed(begin, ",".join(region.name for region in regions))


def kill(world):
    daemons = world.dice.choice([[world.system.api], [world.dice.choice(world.regions).daemon], [world.dice.choice(world.regions).daemon, world.system.api]])
    with disturb(world, daemons):
        processes = [daemon.process for daemon in daemons]
        for daemon in daemons:
            daemon.send(signal.SIGKILL)
        for daemon in daemons:
            daemon.kill()
        yield lambda: all(process.poll() == -signal.SIGKILL for process in processes) and f"{len(daemons)} killed"
        for daemon in reversed(daemons):
            daemon.start(wait=False)
        for daemon in daemons:
            daemon.wait_ready()


def power(world, torn=None):
    daemons = world.dice.choice([[world.system.api], [world.dice.choice(world.regions).daemon], [world.dice.choice(world.regions).daemon, world.system.api]])
    with disturb(world, daemons):
        for daemon in daemons:
            daemon.send(signal.SIGKILL)
        torn_bytes = 0
        for daemon in daemons:
            daemon.kill()
            disk = world.disk_of(daemon)
            disk.lose_power(world.dice, torn is not False)
            torn_bytes += disk.torn_bytes
        for region in world.regions:
            if region.daemon in daemons:
                region.wipe_ram_disk()
        yield lambda: "torn" if torn_bytes else "power lost"
        for daemon in reversed(daemons):
            daemon.start(wait=False)
        for daemon in daemons:
            daemon.wait_ready()


def stop(world):
    daemon = victim(world)
    with disturb(world, [daemon]):
        daemon.hold()
        yield lambda: daemon.pid and f"{world.name_of(daemon)} stood still"
        daemon.release()


# The network. `clients` is the proxy before the API's edge door, the others stand before its inner door.

def any_proxy(world):
    return world.proxies[world.dice.choice(sorted(world.proxies))]


def weather(kind, counter, seconds=(0, 0), heal_by_reset=False):
    def strike(world):
        proxy = any_proxy(world)
        directions = world.dice.choice([["up", "down"], ["up"], ["down"]])
        before = proxy.counts[counter] + proxy.counts["connections held"]
        proxy.set(kind, directions, world.dice.uniform(*seconds))
        yield lambda: proxy.counts[counter] + proxy.counts["connections held"] > before and f"{proxy.name} {'+'.join(directions)}"
        proxy.clear(reset=heal_by_reset and world.dice.random() < 0.5)
    return strike


def end_connections(how, counter):
    def strike(world):
        proxy = any_proxy(world)
        before = proxy.counts[counter]
        for _ in range(world.dice.randint(1, 5)):
            getattr(proxy, how)()
            time.sleep(world.dice.uniform(0, 0.5))
        yield lambda: proxy.counts[counter] > before and f"{proxy.name} {proxy.counts[counter] - before} times"
    return strike


# The machine.

def disk_full(world):
    if not world.loops:
        raise SystemFailure("disk-full needs loop devices and root")
    daemon = victim(world)
    loop = world.loops[world.name_of(daemon)]
    ballast = loop.path / "ballast"
    with disturb(world, [daemon]):
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            for piece in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), piece)
        free = os.statvfs(loop.path).f_bavail
        yield lambda: free < 16 and f"{world.name_of(daemon)} full"
        ballast.unlink()
        world.supervise()


def errors(*names):
    def strike(world):
        daemon = victim(world)
        machine = world.machine_of(daemon)
        calls = world.dice.choice([["sync"], ["write"], ["open"], ["rename"], ["write", "sync", "open", "rename"]])
        before = machine.failed
        with disturb(world, [daemon]):
            machine.fail(calls, world.dice.choice(names), world.dice.choice([1, 3, 20]))
            # Files are opened and renamed rarely.
            if not {"write", "sync"} & set(calls):
                daemon.kill()
                daemon.start(wait=False)
            yield lambda: machine.failed > before and f"{world.name_of(daemon)} {'+'.join(calls)} {machine.failed - before} times"
            machine.mend()
            world.supervise()
    return strike


def descriptors(world):
    daemon = victim(world)
    pid = daemon.pid

    def used():
        return len(os.listdir(f"/proc/{pid}/fd"))
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    limit = used() + 2
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
    ports = [world.system.settings["ports"][door] for door in ("edge", "inner")] if daemon is world.system.api else []
    taken = [socket.socket() for _ in range(60)]
    for number, each in enumerate(taken):
        each.setblocking(False)
        if ports:
            each.connect_ex(("127.0.0.1", ports[number % 2]))
        else:
            each.close()
    if not ports:
        taken = agent_connections(world, daemon)
    # New connections of its peers find none left.
    for proxy in world.proxies.values():
        proxy.reset_all()
    most = [0]

    def exhausted():
        most[0] = max(most[0], used() if daemon.pid == pid else 0)
        return most[0] >= limit and f"{world.name_of(daemon)} at {limit}"
    with contextlib.suppress(SystemFailure):
        wait_for(exhausted, "exhausted", 3, 0.01)
    yield exhausted
    for each in taken:
        each.close()
    if daemon.pid == pid:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    world.supervise()


def agent_connections(world, daemon):
    region = next(region for region in world.regions if region.daemon is daemon)
    found = []
    for _ in range(60):
        found.append(socket.socket(socket.AF_UNIX))
        found[-1].setblocking(False)
        with contextlib.suppress(OSError):
            found[-1].connect(str(world.system.agent_socket(region.name)))
    return found


def wipe(world):
    """The region's machine is new, but for its keys."""
    region = world.dice.choice(world.regions)
    with disturb(world, [region.daemon]):
        region.daemon.kill()
        had = sum(path.stat().st_size for path in world.system.region_data(region.name).rglob("*") if path.is_file())
        world.empty(world.system.region_data(region.name))
        shutil.rmtree(world.disk_of(region.daemon).shadow)
        region.wipe_ram_disk()
        yield lambda: had > 0 and region.name
        region.daemon.start()


def restore(world):
    """A backup under load, more load, and then the API's disk is lost."""
    begin = time.monotonic_ns()
    made = world.system.operator().run("-o", "json", "admin", "backup")
    if made.returncode != 0:
        raise SystemFailure(f"admin backup: {made.stderr.decode()}")
    world.mark("backup", begin)
    world.wait_for_load()
    world.pause()
    begin = time.monotonic_ns()
    api = world.system.api
    with disturb(world, [region.daemon for region in world.regions]):
        api.stop()
        world.empty(world.system.api_data)
        shutil.rmtree(world.disk_of(api).shadow)
        done = subprocess.run([BIN / "keyferry", "admin", "restore", "--from", world.backups, "--keyring", world.system.directory / "api/keyring",
                               "--data-dir", world.system.api_data], capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise SystemFailure(f"restore: {done.stdout}{done.stderr}")
        yield lambda: "every row opens" in done.stdout and "restored"
        api.start()
        world.mark("restore", begin)
        world.resume()


def clock(world):
    daemon = victim(world)
    machine = world.machine_of(daemon)
    seconds = world.dice.choice(JUMPS)
    before = machine.moved_times
    # A request id is kept for a day: a call that is sent again across such a jump would be another call.
    far = abs(seconds) > DAY
    with disturb(world, [daemon]):
        for step in (seconds, 0):
            if far:
                world.pause()
            machine.jump(step)
            if far:
                world.resume()
            if step:
                yield lambda: machine.moved_times > before and f"{world.name_of(daemon)} {seconds:+} s"


FAULTS = {
    "kill": Fault(kill),
    "stop": Fault(stop, (0.5, 20)),
    "power": Fault(power),
    "partition": Fault(weather("stall", "bytes held", heal_by_reset=True), (1, 25)),
    "half-open": Fault(weather("swallow", "bytes swallowed", heal_by_reset=True), (1, 25)),
    "reset": Fault(end_connections("reset_all", "connections reset")),
    "cut": Fault(end_connections("cut_all", "frames cut"), (0, 2)),
    "delay": Fault(weather("delay", "pieces delayed", (0.01, 0.6)), (2, 8), True),
    "drip": Fault(weather("drip", "bytes dripped", heal_by_reset=True), (2, 10)),
    "disk-full": Fault(disk_full, (2, 6)),
    "eio": Fault(errors("EIO"), (1, 5)),
    "enospc": Fault(errors("ENOSPC"), (1, 5)),
    "fds": Fault(descriptors, (2, 6)),
    "wipe": Fault(wipe),
    "restore": Fault(restore),
    "clock": Fault(clock, (3, 10)),
}
