"""One whole Keyferry on loopback. `./dev up` and every system test start it through this module."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("KEYFERRY_BIN", ROOT / "build/dev/bin"))
TRUST_DOMAIN = "keyferry.dev"
START_SECONDS = 30
# In a sanitizer build ctest sets these: how much slower everything may be than in a plain one, and where programs write what was found in them.
PATIENCE = float(os.environ.get("KEYFERRY_PATIENCE", 1))
REPORTS = Path(os.environ["KEYFERRY_REPORTS"]) if "KEYFERRY_REPORTS" in os.environ else None
SANITIZER_EXIT = 66
PORTS = ("inner", "edge", "gateway", "gateway_plain", "gateway_metrics")


class SystemFailure(Exception):
    """The system did not do what was asked; the message holds the end of the log."""


def check_sanitizers(process, name):
    """Fails with what a sanitizer found in a process that was ours. Process ids of other times are none: ./dev empties the directory before the suite."""
    if not REPORTS or process is None:
        return
    for report in REPORTS.glob(f"*.{process.pid}"):
        raise SystemFailure(f"{name}: {report}:\n{report.read_text(errors='replace')[:4000]}")
    if process.poll() == SANITIZER_EXIT:
        raise SystemFailure(f"{name}: ended by a sanitizer, see its log")


def wait_for(condition, what, seconds=30.0, interval=0.02):
    """Asks until the condition answers something true, and answers that."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise SystemFailure(f"not within {seconds} s: {what}")
        time.sleep(interval)


# Abstract names of the ports that this process was given: no other test's gets one of them.
_claims = []


def free_port():
    """A port below the ephemeral range, so that no outgoing connection sits on it while its server restarts."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                claim.bind(f"\0keyferry-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port


# Before a command: it does not outlive a test that was killed. No preexec_fn, since gRPC's handlers around a fork() in Python would run with it.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")


def thread_states(pid):
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        try:
            yield stat.read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue


class Daemon:
    """A process with a log, a pid file and a ready file, all in `directory`; another run of the harness finds a `lasting` one again."""

    def __init__(self, name, directory, command, environment=None, lasting=False):
        self.name = name
        self.lasting = lasting
        self.ready_file = directory / f"{name}.ready"
        self.log = directory / f"{name}.log"
        self.pid_file = directory / f"{name}.pid"
        self.command = [*map(str, command), "--ready-file", str(self.ready_file)]
        self.environment = environment or {}
        self.process = None

    @property
    def pid(self):
        """None unless it runs; a stale pid file, also one whose pid another process has now, counts for nothing."""
        if self.process:
            return self.process.pid if self.process.poll() is None else None
        try:
            pid = int(self.pid_file.read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self.ready_file).encode() in arguments else None

    def start(self, wait=True):
        check_sanitizers(self.process, self.name)
        self.ready_file.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            # Only a lasting one gets a session of its own: to each session the kernel (sched_autogroup_enabled) gives as much of the cores as to any other, whatever its
            # threads' niceness, and what a benchmark starts is to be scheduled as one.
            own = {"start_new_session": True} if self.lasting else {"process_group": 0}
            self.process = subprocess.Popen([*(() if self.lasting else DIE_WITH_PARENT), *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={"PATH": "/usr/bin:/bin", **self.environment}, **own)
        self.pid_file.write_text(str(self.process.pid))
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            if not self.pid:
                raise SystemFailure(f"{self.name} ended as it started")
            return self.ready_file.exists()
        try:
            wait_for(ready, f"{self.name} is ready", START_SECONDS, 0.01)
        except SystemFailure as failure:
            raise SystemFailure(f"{failure}\n{self.tail()}") from None

    def tail(self, lines=15):
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"--- end of {self.log}", *text[-lines:], "---"])

    def send(self, number):
        if pid := self.pid:
            os.kill(pid, number)

    def hold(self):
        self.send(signal.SIGSTOP)
        # The first thread that is scheduled stops the others: on a busy machine they go on for a while.
        if pid := self.pid:
            wait_for(lambda: set(thread_states(pid)) == {"T"}, f"{self.name} is stopped", 10, 0.001)

    def release(self):
        self.send(signal.SIGCONT)

    def kill(self):
        self.send(signal.SIGKILL)
        self._wait_gone(10)

    def stop(self, seconds=15):
        """SIGTERM, and SIGKILL where that does not end it; answers whether SIGTERM did."""
        self.send(signal.SIGTERM)
        self.release()
        if gone := self._wait_gone(seconds):
            self.pid_file.unlink(missing_ok=True)
            check_sanitizers(self.process, self.name)
            return gone
        self.kill()
        self.pid_file.unlink(missing_ok=True)
        return False

    def _wait_gone(self, seconds):
        try:
            wait_for(lambda: not self.pid, f"{self.name} ends", seconds, 0.005)
            return True
        except SystemFailure:
            return False


class Cli:
    """The keyferry binary with an environment of its own and nothing of ours."""

    def __init__(self, home, environment):
        self.environment = {"PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin", "HOME": str(home), **environment}

    def run(self, *arguments, stdin=b"", environment=None, directory=None):
        result = subprocess.run([BIN / "keyferry", *arguments], input=stdin, capture_output=True, cwd=directory or "/",
                                env={**self.environment, **(environment or {})}, timeout=120 * PATIENCE, check=False)
        if REPORTS and result.returncode == SANITIZER_EXIT:
            raise SystemFailure(f"keyferry {arguments[:3]}: a sanitizer found something, see {REPORTS}")
        return result

    def ok(self, *arguments, **options):
        """Standard output as text, of a command that must succeed."""
        result = self.run(*arguments, **options)
        if result.returncode != 0:
            raise SystemFailure(f"keyferry {arguments[:3]}: exit code {result.returncode}\n"
                                f"{result.stderr.decode(errors='replace')}")
        return result.stdout.decode()

    def shell(self, command):
        """As a person types it."""
        result = subprocess.run(["/bin/bash", "-c", command], capture_output=True, env=self.environment, timeout=120 * PATIENCE, check=False)
        if result.returncode != 0:
            raise SystemFailure(f"{command}: exit code {result.returncode}\n{result.stderr.decode(errors='replace')}")
        return result.stdout.decode()

    def json(self, *arguments, **options):
        return json.loads(self.ok("-o", "json", *arguments, **options))


class System:
    """An API, a provisioner for each region, a REST gateway, an organization `acme` and its admin's key, in one directory.

    `volatile` is the directory on a RAM disk that holds what must not touch a disk: the regions' files and sockets.
    `environment_of(name, data_directory)` may add to a daemon's environment, `api_flags` to the API's command; regions that are in `blind` have no
    escrow. A `lasting` system outlives its starter.
    Provisioners enroll with a token; what an older version of this file made goes on with the certificates that it has.
    """

    def __init__(self, directory, regions=("us-west", "us-east"), log_level="info", environment_of=lambda *_: {}, lasting=False,
                 api_flags=(), blind=()):
        self.directory = Path(directory).resolve()
        self.regions = regions
        self.log_level = log_level
        self.environment_of = environment_of
        self.lasting = lasting
        self.api_flags = api_flags
        self.blind = blind
        name = hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]
        self.volatile = Path("/dev/shm" if os.path.ismount("/dev/shm") else self.directory) / f"keyferry-{name}"
        self.logs = self.directory / "logs"
        self.certificates = self.directory / "certs"
        self.api_data = self.directory / "api/data"
        self.settings_file = self.directory / "settings.json"
        self.settings = json.loads(self.settings_file.read_text()) if self.settings_file.exists() else {}
        if self.settings:
            self._describe()

    # The parts.

    def _describe(self):
        ports = self.settings["ports"]
        # A directory that an older version of this file made goes on with what it has.
        for name in PORTS:
            ports.setdefault(name, free_port())
        self.api = Daemon("api", self.logs, [
            BIN / "keyferry-api", "--data-dir", self.api_data, "--keyring", self.directory / "api/keyring",
            "--inner-listen", f"127.0.0.1:{ports['inner']}", "--edge-listen", f"127.0.0.1:{ports['edge']}",
            "--inner-cert", self._certificate("api"), "--inner-key", self._key("api"),
            "--edge-cert", self._certificate("api"), "--edge-key", self._key("api"),
            "--client-ca", self.ca, "--trust-domain", TRUST_DOMAIN, "--log-level", self.log_level,
            # All callers of a test have one address, and many are wrong on purpose.
            "--edge-proxies", "127.0.0.1", "--failures-per-minute", "0", *self.api_flags],
            self.environment_of("api", self.api_data), self.lasting)
        self.provisioners = {region: self.provisioner(region) for region in self.regions}
        self.gateway = Daemon("gateway", self.logs, [
            BIN / "keyferry-gateway", "--listen", f"127.0.0.1:{ports['gateway']}", "--cert", self._certificate("gateway"),
            "--key", self._key("gateway"), "--plain-listen", f"127.0.0.1:{ports['gateway_plain']}",
            "--metrics-listen", f"127.0.0.1:{ports['gateway_metrics']}", "--api", f"127.0.0.1:{ports['edge']}",
            "--api-ca", self.ca, "--log-level", self.log_level],
            self.environment_of("gateway", self.directory), self.lasting)

    @property
    def gateway_url(self):
        return f"https://localhost:{self.settings['ports']['gateway']}"

    @property
    def plain_gateway_url(self):
        """The same routes without TLS, on loopback."""
        return f"http://localhost:{self.settings['ports']['gateway_plain']}"

    @property
    def metrics_url(self):
        return f"http://localhost:{self.settings['ports']['gateway_metrics']}/metrics"

    @property
    def ca(self):
        return self.certificates / "ca.pem"

    def _certificate(self, name):
        return self.certificates / f"{name}.pem"

    def _key(self, name):
        return self.certificates / f"{name}.key"

    def provisioner(self, region, number=1):
        """The first one of a region, or a standby: a machine of its own with the region's keyring."""
        name = f"{region}-{number}"
        disk_files = [] if self.volatile.parent == Path("/dev/shm") else ["--allow-disk-files"]
        return Daemon(name, self.logs, [
            BIN / "keyferry-provisioner", "--api", f"127.0.0.1:{self.settings['ports']['inner']}", "--region", region,
            "--id", name, "--data-dir", self.region_data(region, number), "--keyring", self.keyring(region),
            *self._credentials(region, number), "--ca", self.ca, "--files-dir", self.files(region, number), "--agent-socket",
            self.agent_socket(region, number), "--log-level", self.log_level, *disk_files],
            self.environment_of(name, self.region_data(region, number)), self.lasting)

    def _credentials(self, region, number):
        name = f"{region}-{number}"
        if self._certificate(name).exists():
            return ["--cert", self._certificate(name), "--key", self._key(name)]
        return ["--identity", self.identity(region, number)]

    def keyring(self, region):
        """All provisioners of a region have the same."""
        return self.directory / region / "keyring"

    def identity(self, region, number=1):
        return self.directory / region / f"identity-{number}"

    def region_data(self, region, number=1):
        return self.directory / region / f"data-{number}"

    def files(self, region, number=1):
        return self.volatile / f"{region}-{number}" / "files"

    def agent_socket(self, region, number=1):
        return self.volatile / f"{region}-{number}" / "agents.sock"

    def prepare_provisioner(self, region, number=1):
        """Directories and identity."""
        self.region_data(region, number).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.files(region, number).mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._certificate(f"{region}-{number}").exists() and not (self.identity(region, number) / "current").exists():
            self.enroll(region, number)

    def enroll(self, region, number=1):
        """As an operator and the region's machine do it together: the token goes from hand to hand, and in by standard input."""
        token = self.operator().ok("regions", "token", region)
        result = self.try_enroll(region, number, token)
        if result.returncode != 0:
            raise SystemFailure(f"enroll {region}-{number}: exit code {result.returncode}\n{result.stderr}")

    def try_enroll(self, region, number, token, keyring=None):
        return subprocess.run([
            BIN / "keyferry-provisioner", "enroll", "--edge-api", f"127.0.0.1:{self.settings['ports']['edge']}", "--ca", self.ca,
            "--id", f"{region}-{number}", "--keyring", keyring or self.keyring(region), "--identity", self.identity(region, number),
            "--token-file", "-"], input=token, capture_output=True, text=True, timeout=60 * PATIENCE, check=False)

    def issue_provisioner_certificate(self, region, number):
        """Of an authority that is not the API's: instead of enrolling, before prepare_provisioner and provisioner."""
        name = f"{region}-{number}"
        self._issue(name, f"spiffe://{TRUST_DOMAIN}/region/{region}/provisioner/{name}")

    def _issue(self, name, spiffe_id, *names):
        if not self._certificate(name).exists():
            subprocess.run([ROOT / "deploy/dev_certs", self.certificates, name, spiffe_id, *names], check=True,
                           stdout=subprocess.DEVNULL)

    @property
    def daemons(self):
        return [self.gateway, *self.provisioners.values(), self.api] if self.settings else []

    # Users.

    def operator(self):
        return Cli(self.directory, {
            "KEYFERRY_ENDPOINT": f"127.0.0.1:{self.settings['ports']['inner']}", "KEYFERRY_CA_FILE": str(self.ca),
            "KEYFERRY_CERT_FILE": str(self._certificate("operator")), "KEYFERRY_KEY_FILE": str(self._key("operator"))})

    def user(self, key=None, organization="acme", region="us-west"):
        """A tenant, by default acme's admin; for `run`, on an agent host of the region."""
        return Cli(self.directory, {
            "KEYFERRY_ENDPOINT": f"127.0.0.1:{self.settings['ports']['edge']}", "KEYFERRY_CA_FILE": str(self.ca),
            "KEYFERRY_API_KEY": key or self.settings["api_key"], "KEYFERRY_ORG": organization,
            "KEYFERRY_GATEWAY_URL": self.gateway_url,
            "KEYFERRY_AGENT_SOCKET": str(self.agent_socket(region))})

    def new_organization(self, name):
        """Answers the key of its first admin."""
        self.operator().ok("orgs", "create", name)
        return self.new_key(name, "admin")

    def new_key(self, organization, role):
        return self.operator().json("keys", "create", role, "--role", role, "--organization", organization)["key"]

    # Life.

    @property
    def running(self):
        return bool(self.daemons) and all(daemon.pid for daemon in self.daemons)

    def start(self):
        """From nothing, or again what was stopped; what runs already is left alone."""
        first = not self.settings
        if first:
            self.sweep()
        for path in (self.directory, self.logs, self.api_data, self.volatile):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if first:
            self.settings = {"ports": {name: free_port() for name in PORTS}}
            self._issue("api", f"spiffe://{TRUST_DOMAIN}/api", "DNS:localhost", "IP:127.0.0.1")
            self._issue("operator", f"spiffe://{TRUST_DOMAIN}/operator/dev")
            self._describe()
            self.new_keyring(self.directory / "api/keyring", "keyferry-api")
        if not self.api.pid:
            self.api.start()
        for region in self.regions:
            if first:
                self.new_keyring(self.keyring(region))
                self.operator().ok("regions", "create", region, *(["--blind"] if region in self.blind else []))
            self.prepare_provisioner(region)
            if not self.provisioners[region].pid:
                self.provisioners[region].start()
        if first:
            self.settings["api_key"] = self.new_organization("acme")
        self._issue("gateway", f"spiffe://{TRUST_DOMAIN}/gateway", "DNS:localhost", "IP:127.0.0.1")
        if not self.gateway.pid:
            self.gateway.start()
        self._save()

    def sweep(self):
        """What a start that never came to its end has left: its processes and its directories."""
        for pid_file in self.logs.glob("*.pid"):
            Daemon(pid_file.stem, self.logs, []).kill()
        for path in (self.directory, self.volatile):
            shutil.rmtree(path, ignore_errors=True)

    def new_keyring(self, path, binary="keyferry-provisioner"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run(binary, "init-keyring", path)

    def provisioner_command(self, *arguments):
        """Standard output of one of keyferry-provisioner's subcommands."""
        return self._run("keyferry-provisioner", *arguments)

    @staticmethod
    def _run(binary, *arguments):
        result = subprocess.run([BIN / binary, *arguments], capture_output=True, text=True, timeout=60 * PATIENCE, check=False)
        if result.returncode != 0:
            raise SystemFailure(f"{binary} {' '.join(map(str, arguments))}: {result.stderr}")
        return result.stdout.strip()

    def _save(self):
        descriptor = os.open(self.settings_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.settings, file)

    def stop(self):
        """Answers the names of those that SIGTERM did not end."""
        stubborn = [daemon.name for daemon in self.daemons if daemon.pid and not daemon.stop()]
        shutil.rmtree(self.volatile, ignore_errors=True)
        return stubborn
