"""Kills and power losses under load. usage: crash_campaign.py [--kill N] [--power N] [--seed S] [--provisioners N]

A fault hits any of the API and the provisioners at once, at a random moment while load_client writes and compares (its first lines say what).
A kill is SIGKILL, which proves nothing about durability: the kernel keeps what was written. A power loss is SIGKILL and then the data
directory as drop_unsynced.so says a disk would have it: without what was not synced, two times in three with a torn piece of it where there is
one; a region's RAM disk is wiped. Exit code 0: nothing lost. 1: something was, or did not come up again. 3: invalid, the
faults met too little load. The last line is for machines; --record FILE keeps it.
"""

import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import BIN, System, SystemFailure, wait_for

# Of each region.
WORKERS = 2
# Acknowledged writes between two faults. A fault in an idle system proves nothing.
LEAST_WRITES = 8
SETTLE_SECONDS = 300


class Disk:
    """The data directory of one daemon, and what a power loss would leave of it."""

    def __init__(self, live, lie="", shadow=None):
        self.live = live
        self.shadow = shadow or live.with_name(live.name + ".shadow")
        self.torn_bytes = 0
        self.environment = {"LD_PRELOAD": str(BIN / "drop_unsynced.so"), "DROP_UNSYNCED_ROOT": str(live),
                            "DROP_UNSYNCED_SHADOW": str(self.shadow), "DROP_UNSYNCED_LIE": lie}

    def lose_power(self, dice, torn=True):
        """The process must be dead. The live directory becomes what its disk holds, two times in three with a torn end unless not `torn`."""
        restored = self.live.with_name(self.live.name + ".restored")
        torn = torn and dice.random() < 2 / 3
        self.torn_bytes = 0
        self._restore((self.shadow / "root").read_text(), self.live, restored, dice if torn else None)
        shutil.rmtree(self.live)
        shutil.rmtree(self.shadow)
        restored.rename(self.live)

    def _restore(self, key, live, restored, dice):
        restored.mkdir(mode=0o700)
        entries = self.shadow / "d" / key
        for line in entries.read_bytes().splitlines() if entries.exists() else []:
            kind, key, name = os.fsdecode(line).split(" ", 2)
            if kind == "d":
                self._restore(key, live / name, restored / name, dice)
                continue
            saved = self.shadow / "i" / key
            content = saved.read_bytes() if saved.exists() else b""
            if dice and key.split(".")[0] == str(self._inode(live / name)):
                tail = self._torn_tail(live / name, len(content), dice)
                self.torn_bytes += len(tail)
                content += tail
            (restored / name).write_bytes(content)
            (restored / name).chmod(0o600)

    @staticmethod
    def _inode(path):
        return path.stat().st_ino if path.exists() else None

    @staticmethod
    def _torn_tail(path, synced_bytes, dice):
        """Of what was appended and not synced: the first part, half of the time with garbage at its end."""
        with path.open("rb") as file:
            file.seek(synced_bytes)
            tail = file.read(1 << 20)
        kept = bytearray(tail[:dice.randint(1, len(tail))]) if tail else bytearray()
        if kept and dice.random() < 0.5:
            start = dice.randrange(len(kept))
            kept[start:] = dice.randbytes(len(kept) - start)
        return bytes(kept)


class Region:
    """A provisioner, its disk, and the number that tells the load client when the region is being disturbed."""

    def __init__(self, system, name, disk):
        self.system, self.name, self.disk = system, name, disk
        self.epoch_file = system.directory / f"{name}.epoch"
        self.epoch = 0
        self.raise_epoch(0)

    def raise_epoch(self, by=1):
        self.epoch += by
        fresh = self.epoch_file.with_suffix(".next")
        fresh.write_text(str(self.epoch))
        fresh.rename(self.epoch_file)

    @property
    def daemon(self):
        return self.system.provisioners[self.name]

    def wipe_ram_disk(self):
        shutil.rmtree(self.system.files(self.name))
        self.system.files(self.name).mkdir(mode=0o700)


class Campaign:
    # Milliseconds of each of the client's workers between two steps.
    pause = 0

    def __init__(self, directory, seed, lie="", provisioners=2):
        self.dice = random.Random(seed)
        self.seed = seed
        self.disks = {}
        self.lie = lie
        self.system = System(directory, tuple(f"region-{number}" for number in range(1, provisioners + 1)), environment_of=self._environment_of)
        self.acks = self.system.directory / "acks"
        self.stop_file = self.system.directory / "stop"
        self.client = None
        self.regions = []
        # Cycles, daemons that they struck, and disks that were torn.
        self.counts = collections.Counter()

    def _environment_of(self, name, data_directory):
        self.disks[name] = Disk(data_directory, self.lie)
        return self.disks[name].environment

    def run(self, kills, power_losses):
        self.system.start()
        self.regions = [Region(self.system, name, self.disks[f"{name}-1"]) for name in self.system.regions]
        self._start_client()
        faults = ["kill"] * kills + ["power"] * power_losses
        self.dice.shuffle(faults)
        for number, fault in enumerate(faults, 1):
            self._wait_for_load()
            self._strike(fault)
            if number % 20 == 0 or number == len(faults):
                print(f"{number} of {len(faults)} faults, {self._writes()} writes acknowledged", flush=True)
        self._wait_for_load()
        return self._finish()

    def run_into_the_past(self):
        """Proves that the oracle sees lost writes where the product cannot: the API's whole directory goes back to an older state."""
        self.system.start()
        self.regions = [Region(self.system, name, self.disks[f"{name}-1"]) for name in self.system.regions]
        self._start_client()
        older = self.system.directory / "older"
        for act in (lambda: shutil.copytree(self.system.api_data, older), lambda: self._replace_api_data(older)):
            self._wait_for_load()
            self.system.api.kill()
            act()
            self.system.api.start()
        # The first word of it is enough; waiting until everything settles would take its time, as some of it never does.
        wait_for(lambda: b"VIOLATION" in self.acks.read_bytes() or self.client.poll() is not None, "the load client notices", 60)
        seen = [line for line in self.acks.read_text(errors="replace").splitlines() if line.startswith("VIOLATION")]
        return 1, "ready_comparisons=0\n" + "\n".join(seen)

    def _replace_api_data(self, older):
        shutil.rmtree(self.system.api_data)
        shutil.rmtree(self.disks["api"].shadow)
        older.rename(self.system.api_data)

    def _start_client(self):
        system = self.system
        arguments = [f"127.0.0.1:{system.settings['ports']['edge']}", system.ca, system.settings["api_key"], self.seed, WORKERS * len(self.regions),
                     self.acks, self.stop_file]
        for region in self.regions:
            arguments += [region.name, system.files(region.name), system.agent_socket(region.name), region.epoch_file]
        self.client = subprocess.Popen([BIN / "load_client", *map(str, arguments)], stdout=subprocess.PIPE, text=True,
                                       env={"PATH": "/usr/bin:/bin", "LOAD_PAUSE_MS": str(self.pause)})

    def _writes(self):
        return self.acks.read_bytes().count(b"\n") if self.acks.exists() else 0

    def _wait_for_load(self):
        target = self._writes() + LEAST_WRITES
        wait_for(lambda: self._writes() >= target or self.client.poll() is not None, "the load goes on after the fault", 60)
        time.sleep(self.dice.uniform(0, 0.2))

    def _strike(self, fault):
        regions = [] if self.lie else [region for region in self.regions if self.dice.random() < 0.5]
        struck = [(region.daemon, region.disk) for region in regions]
        if not regions or self.dice.random() < 0.5:
            struck.append((self.system.api, self.disks["api"]))
        for region in regions:
            region.raise_epoch()
        for daemon, _ in struck:
            if not daemon.pid:
                raise SystemFailure(f"{daemon.name} ended by itself\n{daemon.tail()}")
            daemon.send(signal.SIGKILL)
        self.counts[f"{fault} cycles"] += 1
        for daemon, disk in struck:
            daemon.kill()
            self.counts[fault] += 1
            if fault == "power":
                disk.lose_power(self.dice)
                self.counts["torn"] += disk.torn_bytes > 0
        for region in regions:
            if fault == "power":
                region.wipe_ram_disk()
        self._restart([daemon for daemon, _ in reversed(struck)])
        for region in regions:
            region.raise_epoch()

    def _restart(self, daemons):
        if self.dice.random() < 0.15:
            for daemon in daemons:
                daemon.start(wait=False)
            time.sleep(self.dice.uniform(0, 0.15))
            for daemon in daemons:
                daemon.kill()
        for daemon in daemons:
            daemon.start(wait=False)
        for daemon in daemons:
            daemon.wait_ready()

    def _finish(self):
        self.stop_file.touch()
        report, _ = self.client.communicate(timeout=SETTLE_SECONDS)
        return self.client.returncode, report

    def close(self):
        if self.client and self.client.poll() is None:
            self.client.kill()
            self.client.wait()
        self.system.stop()


def append_record(path, what, code, figures):
    """One line of JSON more in the file of results, which runs share."""
    words = {0: "passed", 1: "FAILED", 3: "INVALID"}
    line = {"campaign": what, "result": words[code], "at": time.strftime("%Y-%m-%d %H:%M"), **figures}
    print(json.dumps(line))
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def run(directory, seed, kills, power_losses, lie="", into_the_past=False, counts=None, provisioners=2):
    """(exit code, report); `counts` takes the numbers of cycles."""
    campaign = Campaign(directory, seed, lie, provisioners)
    try:
        code, report = campaign.run_into_the_past() if into_the_past else campaign.run(kills, power_losses)
    except SystemFailure as failure:
        return 1, f"violation: {failure}"
    finally:
        campaign.close()
        if counts is not None:
            counts.update(campaign.counts)
    comparisons = int(report.split("ready_comparisons=")[1].split()[0])
    if code == 0 and comparisons < kills + power_losses:
        return 3, f"invalid: only {comparisons} comparisons with what a region serves\n{report}"
    return code, report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kill", type=int, default=200)
    parser.add_argument("--power", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    parser.add_argument("--provisioners", type=int, default=2)
    parser.add_argument("--lie", default="", help="plant a bug: syncs of files with this suffix do nothing")
    parser.add_argument("--record", help="append the last line to this file")
    options = parser.parse_args()
    print(f"campaign: kill={options.kill} power={options.power} seed={options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="campaign-", dir=BIN.parent))
    counts = collections.Counter()
    code, report = run(directory, options.seed, options.kill, options.power, options.lie, counts=counts, provisioners=options.provisioners)
    print(report, end="" if report.endswith("\n") else "\n")
    said = dict(pair.split("=") for pair in report.splitlines()[0].split() if "=" in pair) if code == 0 else {}
    append_record(options.record, "values", code, {"seed": options.seed, **{key: int(value) for key, value in said.items()}, **counts})
    if code == 0:
        shutil.rmtree(directory)
    else:
        print(f"logs and acknowledgements: {directory}")
    return code


if __name__ == "__main__":
    sys.exit(main())
