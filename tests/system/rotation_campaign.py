"""Every layer of keys rotated about once a second, under load and SIGKILLs. usage: rotation_campaign.py --rotate SECONDS [--seed S]

Root keys (keyring add and SIGHUP), acme's key, the system's key and the regions' sealing keys are rotated in turn while load_client writes and compares
(its first lines say what), and every few seconds the API, a provisioner or both are killed. Then all rotations must come to their end; every previous key is
destroyed; the regions begin with empty stores; and every value must still be what was written. Exit codes as crash_campaign.py.
"""

import argparse
import base64
import collections
import hashlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from crash_campaign import Campaign, Region
from harness import BIN, SystemFailure, wait_for

DRAIN_SECONDS = 120
ROTATION_INTERVAL = 0.25  # Of any layer; there are four.
KILL_INTERVAL = (3.0, 6.0)


class RotationCampaign(Campaign):
    def __init__(self, directory, seed):
        super().__init__(directory, seed)
        self.keyring = self.system.directory / "api/keyring"
        self.counts = collections.Counter()

    def _environment_of(self, name, data_directory):
        """No disk loses its power here."""
        self.disks[name] = None
        return {}

    # The four layers. Each answers whether a rotation began.

    def rotate_root(self):
        self._keyring("add", "root")
        self.system.api.send(signal.SIGHUP)
        return True

    def rotate_organization(self):
        return self._operator("rotate", "--organization", "acme")

    def rotate_system(self):
        return self._operator("rotate", "--system")

    def rotate_region(self):
        """The region's machine makes a key, and its provisioner announces it, unless the last change is not done."""
        region = self.dice.choice(self.regions)
        status = self._status()
        if status is None or not self._settled(status, region.name):
            return False
        self.system.provisioner_command("retire-keys", self.system.keyring(region.name))
        self.system.provisioner_command("rotate-key", self.system.keyring(region.name))
        region.daemon.send(signal.SIGHUP)
        return True

    def _keyring(self, verb, *words):
        return self.system._run("keyferry-api", "keyring", verb, self.keyring, *words)

    def _operator(self, *arguments):
        return self.system.operator().run("admin", "keys", *arguments).returncode == 0

    def _status(self):
        answer = self.system.operator().run("-o", "json", "admin", "keys", "status")
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def _settled(self, status, name):
        """The API seals to the keyring's current key and nothing is sealed to one before it."""
        found = {each["region"]: each for each in status["regions"]}[name]
        return not found["previousSealingKeyIds"] and found["sealingKeyId"] == self._current_id(name)

    def _current_id(self, name):
        public_key = self.system.provisioner_command("public-key", self.system.keyring(name))
        return hashlib.sha256(base64.b64decode(public_key)).hexdigest()[:32]

    # The campaign.

    def run_for(self, seconds):
        self.system.start()
        self.regions = [Region(self.system, name, self.disks[f"{name}-1"]) for name in self.system.regions]
        self._start_client()
        layers = {"root": self.rotate_root, "organization": self.rotate_organization, "system": self.rotate_system, "region": self.rotate_region}
        end = time.monotonic() + seconds
        next_kill = time.monotonic() + self.dice.uniform(*KILL_INTERVAL)
        while time.monotonic() < end and self.client.poll() is None:
            for name, rotate in layers.items():
                self.counts[name if rotate() else f"{name} busy"] += 1
                time.sleep(ROTATION_INTERVAL * self.dice.uniform(0, 1))
            if time.monotonic() > next_kill:
                self._wait_for_load()
                self._strike("kill")
                self.counts["kills"] += 1
                next_kill = time.monotonic() + self.dice.uniform(*KILL_INTERVAL)
        drained = self._drain()
        self._destroy_previous_keys()
        code, report = self._finish()
        counts = " ".join(f"{name}={count}" for name, count in sorted(self.counts.items()))
        return code, f"{report}rotations: {counts} drained_after={drained:.1f}s\n"

    def _drain(self):
        begin = time.monotonic()
        last = None

        def drained():
            nonlocal last
            last = self._status()
            return (last is not None and not last["rotations"] and last["keysUnderOldRoot"] == 0 and
                    all(self._settled(last, name) for name in self.system.regions))
        try:
            wait_for(drained, "all rotations come to their end", DRAIN_SECONDS, 0.2)
        except SystemFailure as failure:
            raise SystemFailure(f"{failure}: {json.dumps(last)}\n{self.system.api.tail(40)}") from None
        return time.monotonic() - begin

    def _destroy_previous_keys(self):
        """Whatever is still under one of them is lost now; the regions have nothing but what the API sends."""
        for line in self._keyring("list").splitlines():
            purpose, state, key = line.split()[:3]
            if (purpose, state) == ("root", "previous"):
                self._keyring("retire", "root", key)
        for region in self.regions:
            region.raise_epoch()
            region.daemon.kill()
            self.system.provisioner_command("retire-keys", self.system.keyring(region.name))
            shutil.rmtree(self.system.region_data(region.name))
            region.wipe_ram_disk()
            self.system.prepare_provisioner(region.name)
        self.system.api.kill()
        self.system.api.start()
        for region in self.regions:
            region.daemon.start()
            region.raise_epoch()


def run(directory, seed, seconds):
    """(exit code, report)"""
    campaign = RotationCampaign(directory, seed)
    try:
        code, report = campaign.run_for(seconds)
    except SystemFailure as failure:
        return 1, f"violation: {failure}\n"
    finally:
        campaign.close()
    layers = ("root", "organization", "system", "region")
    if code == 0 and not all(campaign.counts[layer] for layer in layers):
        return 3, f"invalid: not every layer was rotated\n{report}"
    return code, report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rotate", type=float, default=300, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**31))
    options = parser.parse_args()
    print(f"campaign: rotate={options.rotate} seed={options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="rotation-", dir=BIN.parent))
    code, report = run(directory, options.seed, options.rotate)
    print(report, end="")
    print(f"campaign: {['passed', 'FAILED', '', 'INVALID'][code]}, seed {options.seed}")
    if code == 0:
        shutil.rmtree(directory)
    else:
        print(f"logs and acknowledgements: {directory}")
    return code


if __name__ == "__main__":
    sys.exit(main())
