"""What the failpoint matrix runs on: a system whose failpoints can be armed while it runs, and what it must hold after a crash.

Of every object the world knows what may be there: after an acknowledged write that write alone, after one whose answer was lost the old or the
new. It asks the API and the region's files, and narrows its knowledge to what it found.
"""

import json
import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import BIN, System, SystemFailure, wait_for

REGION = "us-west"
CONVERGE_SECONDS = 60


class Violation(Exception):
    """The system holds what it must not, or lost what it must hold."""


class Failpoints:
    """Arms every process of the system by the files that they watch (libs/common/failpoint.h)."""

    def __init__(self, directory):
        self.directory = directory / "failpoints"
        self.fired = self.directory / "fired"
        self.fired.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.names = set()
        self.text = ""
        # Commands that the harness starts without an environment of their own.
        os.environ |= self.environment("commands")

    def environment(self, name):
        self.names.add(name)
        self._write(name)
        return {"KEYFERRY_FAILPOINTS_FILE": str(self.directory / name), "KEYFERRY_FAILPOINTS_FIRED": str(self.fired)}

    def _write(self, name):
        if (self.directory / name).exists() and (self.directory / name).read_text() == self.text + "\n":
            return
        fresh = self.directory / f"{name}.next"
        fresh.write_text(self.text + "\n")
        fresh.rename(self.directory / name)

    def arm(self, text, daemons):
        """In all processes to come, and at once in these, as far as they run."""
        if text == self.text:
            return
        self.text = text
        for name in self.names:
            (self.directory / f"{name}.armed").unlink(missing_ok=True)
            self._write(name)
        for daemon in daemons:
            if daemon.name in self.names:
                wait_for(lambda daemon=daemon: not daemon.pid or self._armed(daemon.name), f"{daemon.name} arms {text!r}", 10, 0.002)

    def _armed(self, name):
        path = self.directory / f"{name}.armed"
        return path.exists() and path.read_text() == self.text + "\n"

    def forget_fired(self):
        for path in self.fired.iterdir():
            path.unlink()

    def passes(self):
        """By name: how often it acted."""
        return {path.name: path.read_text().count("\n") for path in self.fired.iterdir()}


class World:
    def __init__(self, directory, dice):
        self.dice = dice
        Path(directory).mkdir(parents=True, exist_ok=True)
        self.directory = Path(directory).resolve()
        self.failpoints = Failpoints(self.directory)
        self.backups = self.directory / "backups"
        self.audit_directory = self.directory / "audit"
        self.system = System(self.directory / "system", regions=(REGION,), environment_of=lambda name, _: self.failpoints.environment(name), api_flags=(
            "--backup-directory", self.backups, "--backup-interval", "0", "--audit-directory", self.audit_directory))
        self.possible = {}    # set name: list of contents, None for no set
        self.images = {}      # agent: list of images, None for no deployment
        self.acknowledged = 0
        self.serial = 0
        self.lock = threading.Lock()
        # One thread for good: a daemon does not outlive the thread that started it (harness.DIE_WITH_PARENT).
        self.aside = ThreadPoolExecutor(1)

    def start(self):
        self.system.start()
        self.system.gateway.stop()

    def close(self):
        self.failpoints.arm("", [])
        for daemon in self.system.daemons:
            daemon.kill()
        self.system.stop()

    @property
    def daemons(self):
        return [self.system.api, self.system.provisioners[REGION]]

    @property
    def provisioner(self):
        return self.system.provisioners[REGION]

    def number(self):
        self.serial += 1
        return self.serial

    # Doing. Answers whether it was acknowledged.

    def call(self, cli, *arguments):
        result = cli.run(*arguments, environment=self.failpoints.environment("commands"))
        return result.returncode == 0

    def user(self, *arguments):
        return self.call(self.system.user(), *arguments)

    def operator(self, *arguments):
        return self.call(self.system.operator(), *arguments)

    def write(self, name, content, *arguments):
        """`content` is what the set holds when the command was done."""
        with self.lock:
            before = self.possible.get(name, [None])
            self.possible[name] = [*before, content]
        acknowledged = self.user("secrets", *arguments)
        with self.lock:
            if acknowledged:
                self.possible[name] = [content]
                self.acknowledged += 1
        return acknowledged

    def set(self, name, content):
        pairs = [f"{key}={value}" for key, value in content.items()]
        return self.write(name, content, "set", name, *pairs, "--replace-all", "--region", REGION)

    def deploy(self, agent, image, *arguments):
        self.images[agent] = [*self.images.get(agent, [None]), image]
        if acknowledged := self.user(*arguments):
            self.images[agent] = [image]
            self.acknowledged += 1
        return acknowledged

    def command(self, *words):
        """Of one of the daemons' own programs; answers whether it ended well."""
        return subprocess.run([BIN / words[0], *map(str, words[1:])], capture_output=True, timeout=120, check=False).returncode == 0

    # Life.

    def dead(self):
        return [daemon for daemon in self.daemons if not daemon.pid]

    def revive(self):
        """Disarmed, whatever died is started again."""
        self.failpoints.arm("", self.daemons)
        for daemon in self.dead():
            daemon.start()

    def restart(self, daemon, how=signal.SIGTERM):
        daemon.send(how)
        wait_for(lambda: not daemon.pid, f"{daemon.name} ends", 30, 0.005)
        try:
            daemon.start()
        except SystemFailure:
            # Killed as it started.
            if self.failpoints.text == "":
                raise

    # Looking.

    def sets(self):
        return {each["name"]: each for each in self.system.user().json("secrets", "list")["sets"]}

    def region_files(self, name, organization="acme"):
        directory = self.system.files(REGION) / "sets" / organization / name
        return {path.name: path.read_text() for path in directory.iterdir()} if directory.exists() else None

    def agents(self):
        return {each["agent"]: each for each in self.system.user().json("agents", "list")["agents"]}

    def key_status(self):
        return self.system.operator().json("admin", "keys", "status")

    def converge(self):
        """READY everywhere, the region as the API says, and nothing but what may be there."""
        problem = "nothing was asked yet"

        def converged():
            nonlocal problem
            problem = self._difference()
            return problem is None
        try:
            wait_for(converged, "everything converges", CONVERGE_SECONDS, 0.05)
        except SystemFailure:
            raise Violation(problem) from None

    def _difference(self):
        try:
            sets, agents = self.sets(), self.agents()
        except SystemFailure as failure:
            return str(failure)
        for name, possible in self.possible.items():
            shown, files = sets.get(name), self.region_files(name)
            if shown and shown["status"] != "ready":
                return f"set {name} is {shown['status']}: {shown}"
            if (shown is None) != (files is None):
                return f"set {name}: the API shows {shown}, the region has {files and sorted(files)}"
            if files not in possible:
                return f"set {name} holds {files}, which is none of {possible}"
            if shown and sorted(shown["keys"]) != sorted(files):
                return f"set {name}: the API shows the keys {shown['keys']}, the region has {sorted(files)}"
        for agent, images in self.images.items():
            shown = agents.get(agent)
            if shown and shown["status"] != "ready":
                return f"agent {agent} is {shown['status']}"
            if (shown and shown["image"]) not in images:
                return f"agent {agent} has {shown}, which is none of {images}"
            if (self.system.files(REGION) / "agents/acme" / agent).exists() != (shown is not None):
                return f"agent {agent}: the region and the API differ about whether it is there"
        if unknown := set(sets) - set(self.possible):
            return f"sets that nobody wrote: {unknown}"
        for name in self.possible:
            self.possible[name] = [self.region_files(name)]
        for agent in self.images:
            self.images[agent] = [agents[agent]["image"] if agent in agents else None]
        return None

    def check_audit(self):
        """All chains hold, and acme's tells of every write that was acknowledged."""
        wait_for(lambda: self._audited_writes() >= self.acknowledged, "every acknowledged write is on record", 30, 0.2)
        self._verified_export()
        files = sorted(self.audit_directory.glob("audit-*"))
        if files and not self.operator("admin", "audit", "verify", "--accept-start", *map(str, files)):
            raise Violation(f"the files of {self.audit_directory} do not verify")

    def _verified_export(self, *options):
        path = self.directory / f"export-{self.number()}"
        self.system.operator().ok("admin", "audit", "export", "--to", str(path), *options)
        result = self.system.operator().run("admin", "audit", "verify", str(path))
        if result.returncode != 0:
            raise Violation(f"the audit chain {options} does not verify: {result.stderr.decode(errors='replace')}")
        records = [json.loads(line) for line in path.read_text().splitlines()]
        path.unlink()
        return records

    def _audited_writes(self):
        records = self._verified_export("--organization", "acme")
        return sum(1 for each in records if each.get("decision") == "done" and each.get("method", "").startswith(("SecretSets/", "Deployments/")))
