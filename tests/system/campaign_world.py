"""The system under fire: daemons behind chaos proxies, on disks that lose their power and machines that go wrong, and clients that keep a history."""

import collections
import http.client
import json
import os
import random
import re
import shutil
import subprocess
import threading
import time
from pathlib import Path

from bad_machine import BadMachine
from chaos_proxy import ChaosProxy
from crash_campaign import Disk, Region
from harness import BIN, System, SystemFailure, wait_for
from rest import Rest

ARENAS = 3
CLIENTS = 3
CALLS = 12
# Answered calls between two faults. A fault in an idle system proves nothing.
LEAST_CALLS = 40
# The API wants 512 MiB of free space to start.
LOOP_MEGABYTES = 700
CONVERGE_LIMIT = 90
# A call upon a set of a region that was answered, in a line of the history.
ANSWER = re.compile(rb'"o":"(?:ok|no)".*?"region":"([^"]+)"')


class LoopDisk:
    """A small file system of its own, mounted at `path`. SystemFailure where this machine has no loop devices."""

    def __init__(self, image, path):
        self.image, self.path = image, path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(LOOP_MEGABYTES << 20)
        for command in (["mkfs.ext4", "-q", "-F", "-m", "0", image], ["mount", "-o", "loop", image, path]):
            made = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
            if made.returncode != 0:
                raise SystemFailure(f"no loop file system: {made.stderr}")
        shutil.rmtree(path / "lost+found")
        path.chmod(0o700)

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.path)], check=False)


class WorldSystem(System):
    """Provisioners reach the API through proxies, which `world` knows."""

    def __init__(self, world, directory, regions, **options):
        self.world = world
        super().__init__(directory, regions, **options)

    def provisioner(self, region, number=1):
        daemon = super().provisioner(region, number)
        inner = f"127.0.0.1:{self.settings['ports']['inner']}"
        proxy = self.world.proxy(f"{region}-{number}", self.settings["ports"]["inner"])
        daemon.command = [f"127.0.0.1:{proxy.port}" if word == inner else word for word in daemon.command]
        return daemon


class World:
    def __init__(self, directory, seed, regions=2, small_disks=False):
        self.directory = Path(directory)
        self.dice = random.Random(seed)
        self.seed = seed
        self.small_disks = small_disks
        self.disks, self.machines, self.proxies, self.loops, self.taps = {}, {}, {}, {}, {}
        self.backups = self.directory / "outside/backups"
        self.history, self.marks = self.directory / "outside/history", self.directory / "outside/marks"
        self.asked, self.answered = self.directory / "outside/asked", self.directory / "outside/answered"
        self.system = WorldSystem(self, self.directory / "system", tuple(f"region-{number}" for number in range(1, regions + 1)),
                                  environment_of=self._environment_of,
                                  api_flags=("--backup-directory", self.backups, "--backup-interval", "0"))
        self.client = None
        self.regions = []
        self._rests, self._probed = {}, ""
        # Regions are struck side by side, each by a thread.
        self._lock = threading.Lock()
        self._counted, self._answers = 0, collections.Counter()

    def proxy(self, name, target):
        if name not in self.proxies:
            self.proxies[name] = ChaosProxy(name, target, self.dice.random())
        return self.proxies[name]

    def _environment_of(self, name, data_directory):
        if name == "gateway":
            return {}
        outside = self.directory / "outside" / name
        outside.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.small_disks and name not in self.loops:
            self.loops[name] = LoopDisk(outside / "image", data_directory.parent)
            data_directory.mkdir(mode=0o700)
        self.disks[name] = Disk(data_directory, shadow=outside / "shadow")
        self.machines[name] = BadMachine(outside / "machine", data_directory)
        parts = [self.machines[name].environment, self.disks[name].environment]
        if name != "api":
            self.taps[name] = outside / "tap"
            self.taps[name].mkdir(mode=0o700, exist_ok=True)
            parts.append({"LD_PRELOAD": str(BIN / "stream_tap.so"), "STREAM_TAP_DIRECTORY": str(self.taps[name])})
        return {**dict(pair for part in parts for pair in part.items()), "LD_PRELOAD": " ".join(part["LD_PRELOAD"] for part in parts)}

    # Life.

    def start(self):
        self.backups.mkdir(mode=0o700, parents=True)
        self.system.start()
        self.regions = [Region(self.system, name, self.disks[f"{name}-1"]) for name in self.system.regions]
        edge = self.proxy("clients", self.system.settings["ports"]["edge"])
        arguments = [f"127.0.0.1:{edge.port}", self.system.ca, self.system.settings["api_key"], self.seed, max(ARENAS, len(self.regions)), CLIENTS, CALLS, self.history,
                     self.asked, self.answered]
        for region in self.regions:
            arguments += [region.name, self.system.files(region.name), region.epoch_file]
        self.asked.write_text("run")
        self.marks.touch()
        self.client = subprocess.Popen([BIN / "history_client", *map(str, arguments)], env={"PATH": "/usr/bin:/bin"})

    def finish(self):
        """The last histories come to their end."""
        self.asked.write_text("stop")
        try:
            if self.client.wait(300) != 0:
                raise SystemFailure(f"history_client ended with {self.client.returncode}")
        except subprocess.TimeoutExpired:
            raise SystemFailure("the clients' last calls were not answered within 300 s") from None

    def close(self):
        if self.client and self.client.poll() is None:
            self.client.kill()
            self.client.wait()
        self.system.stop()
        for proxy in self.proxies.values():
            proxy.close()
        for loop in self.loops.values():
            loop.unmount()

    # Load.

    def answers(self, region=None):
        """Calls that were answered so far, upon sets of that region or of any."""
        with self._lock:
            if self.history.exists():
                with self.history.open("rb") as file:
                    file.seek(self._counted)
                    fresh = file.read()
                fresh = fresh[:fresh.rfind(b"\n") + 1]
                self._counted += len(fresh)
                self._answers.update(ANSWER.findall(fresh))
            return self._answers[region.name.encode()] if region else self._answers.total()

    def wait_for_load(self, least=LEAST_CALLS, seconds=90, region=None):
        target = self.answers(region) + least
        wait_for(lambda: self.answers(region) >= target or self.client.poll() is not None, "the load goes on", seconds, 0.05)
        if self.client.poll() is not None:
            raise SystemFailure(f"history_client ended with {self.client.returncode}")

    def pause(self):
        self._ask("pause", "paused")

    def resume(self):
        self._ask("run", "running")

    def _ask(self, word, answer):
        self.asked.write_text(word)
        wait_for(lambda: self.answered.exists() and self.answered.read_text() == answer, f"the clients are {answer}", 150, 0.02)

    def converge(self, regions=None, since=None):
        """Seconds since healing began until something that was written behind it is READY in each of the regions."""
        begin = since or time.monotonic()
        for region in regions or self.regions:
            try:
                wait_for(lambda region=region: self._probe(region), f"{region.name} converges", CONVERGE_LIMIT, 0.05)
            except SystemFailure as failure:
                raise SystemFailure(f"{failure}: {self._probed}\n{self.system.api.tail()}\n{region.daemon.tail()}") from None
        return time.monotonic() - begin

    def _probe(self, region):
        """Writes a set and waits a while for it, over the gateway; whether it is READY."""
        rest = self._rests.setdefault(region.name, Rest(self.system.plain_gateway_url, self.system.settings["api_key"]))
        path = f"/v1/secrets/probe-{region.name}"
        try:
            reply = rest.send("PUT", path, {"region": region.name, "secretKey": "PROBE", "secretValue": str(time.monotonic_ns())})
            if reply.status == 202:
                reply = rest.send("GET", path + "?wait=ready&timeout=3s")
            self._probed = f"{region.name}: {reply}"
            return reply.status == 200 and not reply.json["timedOut"] and reply.json["status"] == "ready"
        except (OSError, http.client.HTTPException) as error:
            rest.close()
            self._probed = f"{region.name}: {error}"
            return False

    # What the checker must know.

    def mark(self, function, begin):
        self._append({"k": "mark", "f": function, "o": "ok", "t0": begin, "t1": time.monotonic_ns()})

    def disturbed(self, begin, region=""):
        self._append({"k": "disturbed", "region": region, "t0": begin, "t1": time.monotonic_ns()})

    def _append(self, line):
        with self._lock, self.marks.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    # Daemons.

    def name_of(self, daemon):
        return "api" if daemon is self.system.api else daemon.name

    def disk_of(self, daemon):
        return self.disks[self.name_of(daemon)]

    def machine_of(self, daemon):
        return self.machines[self.name_of(daemon)]

    @staticmethod
    def supervise(daemons):
        """What ended by itself is started, as a supervisor would."""
        ended = [daemon for daemon in daemons if not daemon.pid]
        for daemon in ended:
            daemon.start(wait=False)
        for daemon in ended:
            daemon.wait_ready()

    @staticmethod
    def empty(directory):
        for path in directory.iterdir():
            shutil.rmtree(path) if path.is_dir() else os.unlink(path)
