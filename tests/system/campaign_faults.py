"""The faults of the campaign. Each is a generator upon a Scene: up to its `yield` it strikes, and it gives what can be asked whether the fault has
really fired; behind it, it heals. What it disturbs of a region is said to the checker by `disturb`.
"""

import contextlib
import os
import resource
import shutil
import signal
import random
import socket
import subprocess
import time
from typing import Callable, NamedTuple

from harness import BIN, SystemFailure, wait_for

DAY = 86400
JUMPS = (5, -5, 3600, -3600, 3650 * DAY, -3650 * DAY)


class Scene(NamedTuple):
    """Where a fault may strike: one region, or the API with one region and what lies before the API."""
    world: object
    dice: random.Random
    region: object
    api: object = None

    def draw_daemons(self):
        """What is struck at once."""
        regions = [[self.region.daemon]]
        return self.dice.choice([[self.api], [self.region.daemon, self.api]] if self.api else regions)

    @property
    def daemon(self):
        return self.api or self.region.daemon

    @property
    def proxy(self):
        return self.world.proxies["clients" if self.api else f"{self.region.name}-1"]


# Where a fault may strike.
ANYWHERE, REGION, API = "anywhere", "region", "api"
# From healing to the first new set that is READY in each region.
CONVERGE_SECONDS = 30
# A half-open connection tells nobody: the API gives it up after 15 s of silence, but may not be able to say so; the provisioner after its keepalive
# (30 s, and 10 s for the answer) or 45 s of silence (kKeepaliveMillis, SyncTimings::silence), and then it dials within 1 s.
HALF_OPEN_SECONDS = 45 + 5


class Fault(NamedTuple):
    strike: Callable
    # Seconds that it lasts, from and to.
    lasts: tuple = (0, 0)
    # Calls are answered while it lasts.
    load_goes_on: bool = False
    where: str = ANYWHERE
    converges_within: int = CONVERGE_SECONDS


@contextlib.contextmanager
def disturb(world, daemons):
    """While it lasts, and for a while after, what the regions of these daemons show proves nothing."""
    everywhere = world.system.api in daemons
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
        world.disturbed(begin, "" if everywhere else ",".join(region.name for region in regions))


def kill(scene):
    world, daemons = scene.world, scene.draw_daemons()
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


def power(scene, torn=None):
    world, daemons = scene.world, scene.draw_daemons()
    with disturb(world, daemons):
        for daemon in daemons:
            daemon.send(signal.SIGKILL)
        torn_bytes = 0
        for daemon in daemons:
            daemon.kill()
            disk = world.disk_of(daemon)
            disk.lose_power(scene.dice, torn is not False)
            torn_bytes += disk.torn_bytes
        for region in world.regions:
            if region.daemon in daemons:
                region.wipe_ram_disk()
        yield lambda: "torn" if torn_bytes else "power lost"
        for daemon in reversed(daemons):
            daemon.start(wait=False)
        for daemon in daemons:
            daemon.wait_ready()


def stop(scene):
    world, daemon = scene.world, scene.daemon
    with disturb(world, [daemon]):
        daemon.hold()
        yield lambda: daemon.pid and f"{world.name_of(daemon)} stood still"
        daemon.release()


# The network. `clients` is the proxy before the API's edge door, the others stand before its inner door.

def weather(kind, counter, seconds=(0, 0), heal_by_reset=False):
    def strike(scene):
        proxy, dice = scene.proxy, scene.dice
        directions = dice.choice([["up", "down"], ["up"], ["down"]])
        before = proxy.counts[counter] + proxy.counts["connections held"]
        proxy.set(kind, directions, dice.uniform(*seconds))
        yield lambda: proxy.counts[counter] + proxy.counts["connections held"] > before and f"{proxy.name} {'+'.join(directions)}"
        proxy.clear(reset=heal_by_reset and dice.random() < 0.5)
    return strike


def end_connections(how, counter):
    def strike(scene):
        proxy, dice = scene.proxy, scene.dice
        before = proxy.counts[counter]
        for _ in range(dice.randint(1, 5)):
            getattr(proxy, how)()
            time.sleep(dice.uniform(0, 0.5))
        yield lambda: proxy.counts[counter] > before and f"{proxy.name} {proxy.counts[counter] - before} times"
    return strike


# The machine.

def disk_full(scene):
    world, daemon = scene.world, scene.daemon
    if not world.loops:
        raise SystemFailure("disk-full needs loop devices and root")
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
        world.supervise([daemon])


def errors(*names):
    def strike(scene):
        world, daemon = scene.world, scene.daemon
        machine = world.machine_of(daemon)
        calls = scene.dice.choice([["sync"], ["write"], ["open"], ["rename"], ["write", "sync", "open", "rename"]])
        before = machine.failed
        with disturb(world, [daemon]):
            machine.fail(calls, scene.dice.choice(names), scene.dice.choice([1, 3, 20]))
            # Files are opened and renamed rarely.
            if not {"write", "sync"} & set(calls):
                daemon.kill()
                daemon.start(wait=False)
            yield lambda: machine.failed > before and f"{world.name_of(daemon)} {'+'.join(calls)} {machine.failed - before} times"
            machine.mend()
            world.supervise([daemon])
    return strike


def descriptors(scene):
    """Every number below the limit is taken, so that whatever the daemon opens next it does not get."""
    world, daemon = scene.world, scene.daemon
    machine, pid = world.machine_of(daemon), daemon.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    before, tried = machine.exhausted, []

    def press():
        """What ends meanwhile gives no room."""
        if daemon.pid != pid:
            return
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        free = next(number for number in range(len(used) + 1) if number not in used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, limits[1]))
        tried.extend(connections(scene))
        scene.proxy.reset_all()
    with disturb(world, [daemon]):
        with contextlib.suppress(OSError):
            for _ in range(20):
                press()
                time.sleep(0.1)
        yield lambda: machine.exhausted > before and f"{world.name_of(daemon)} {machine.exhausted - before} times"
        for each in tried:
            each.close()
        if daemon.pid == pid:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        world.supervise([daemon])


def connections(scene):
    """Some more, to the API's doors or to the agents' socket."""
    system = scene.world.system
    made = []
    for number in range(3):
        if scene.api:
            made.append(socket.socket())
            address = "127.0.0.1", system.settings["ports"][("edge", "inner")[number % 2]]
        else:
            made.append(socket.socket(socket.AF_UNIX))
            address = str(system.agent_socket(scene.region.name))
        made[-1].setblocking(False)
        with contextlib.suppress(OSError):
            made[-1].connect(address)
    return made


def wipe(scene):
    """The region's machine is new, but for its keys."""
    world, region = scene.world, scene.region
    with disturb(world, [region.daemon]):
        region.daemon.kill()
        had = sum(path.stat().st_size for path in world.system.region_data(region.name).rglob("*") if path.is_file())
        world.empty(world.system.region_data(region.name))
        shutil.rmtree(world.disk_of(region.daemon).shadow)
        region.wipe_ram_disk()
        yield lambda: had > 0 and region.name
        region.daemon.start()


def restore(scene):
    """A backup under load, more load, and then the API's disk is lost."""
    world = scene.world
    begin = time.monotonic_ns()
    made = world.system.operator().run("-o", "json", "admin", "backup")
    if made.returncode != 0:
        raise SystemFailure(f"admin backup: {made.stderr.decode()}")
    world.mark("backup", begin)
    world.wait_for_load()
    world.pause()
    begin = time.monotonic_ns()
    api = world.system.api
    with disturb(world, [api, *(region.daemon for region in world.regions)]):
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


def past(scene):
    """Planted: the API's disk is put back to what it was, and nobody is told."""
    world, api = scene.world, scene.world.system.api
    older = world.directory / "outside/older"
    api.kill()
    shutil.copytree(world.system.api_data, older)
    api.start()
    world.wait_for_load(500)
    api.kill()
    world.empty(world.system.api_data)
    shutil.rmtree(world.disk_of(api).shadow)
    shutil.copytree(older, world.system.api_data, dirs_exist_ok=True)
    yield lambda: "planted"
    api.start()


def clock(scene):
    world, daemon = scene.world, scene.daemon
    machine = world.machine_of(daemon)
    seconds = scene.dice.choice(JUMPS)
    before = machine.moved_times
    # A request id is kept for a day: a call that is sent again across such a jump would be another call.
    far = scene.api and abs(seconds) > DAY
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
    "stop": Fault(stop, (0.5, 18)),
    "power": Fault(power),
    # A lease ends after 15 s.
    "partition": Fault(weather("stall", "bytes held", heal_by_reset=True), (1, 18)),
    "half-open": Fault(weather("swallow", "bytes swallowed", heal_by_reset=True), (1, 18), converges_within=HALF_OPEN_SECONDS),
    "reset": Fault(end_connections("reset_all", "connections reset")),
    "cut": Fault(end_connections("cut_all", "frames cut"), (0, 2)),
    "delay": Fault(weather("delay", "pieces delayed", (0.01, 0.6)), (2, 8), True),
    "drip": Fault(weather("drip", "bytes dripped", heal_by_reset=True), (2, 10)),
    "disk-full": Fault(disk_full, (2, 6)),
    "eio": Fault(errors("EIO"), (1, 5)),
    "enospc": Fault(errors("ENOSPC"), (1, 5)),
    "fds": Fault(descriptors, (0, 3)),
    "wipe": Fault(wipe, where=REGION),
    "restore": Fault(restore, where=API),
    "clock": Fault(clock, (3, 10)),
}
# Faults that the system may not survive: with one of them the campaign must fail.
PLANTED = {"past": Fault(past, where=API)}
