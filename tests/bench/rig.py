"""What the benchmarks run on: a whole system, its references (echo server, raw disk, etcd), load programs and a fleet of provisioners."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.setdefault("KEYFERRY_BIN", str(ROOT / "build/release/bin")))
sys.path.insert(0, str(ROOT / "tests/system"))

from harness import DIE_WITH_PARENT, System, SystemFailure, free_port, wait_for  # noqa: E402  (reads KEYFERRY_BIN)
from measure import Meter, Sample  # noqa: E402

# One key calls as fast as it can.
NO_LIMITS = ("--key-calls-per-second", "0", "--organization-calls-per-second", "0", "--address-calls-per-second", "0")
QUOTA = "10000000"


class BenchFailure(Exception):
    """A load program did not do what was asked; the message holds what it said."""


def parse(output):
    return {name: float(value) for name, value in (each.split("=") for each in output.split())}


def run_program(program, *arguments):
    result = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BenchFailure(f"{program} {arguments[0]}: {result.stderr}{result.stdout}")
    return result.stdout


class Bench:
    """A system with one region and its real provisioner (`regions`: or none), and an echo server beside it. Everything lives in `directory`."""

    def __init__(self, directory, options, regions=("us-west",)):
        self.options = options
        self.directory = Path(directory)
        self.system = System(self.directory / "system", regions=regions, api_flags=NO_LIMITS)
        self.echo = None
        self.note = lambda text: print(f"    ({text})", flush=True)

    def start(self):
        first = not self.system.settings
        self.system.start()
        if first:
            self.system.operator().ok("--organization", "acme", "orgs", "quota", "set", "--max-secret-sets", QUOTA)
        certificates = self.system.certificates
        self.echo = subprocess.Popen([*DIE_WITH_PARENT, BIN / "echo_server", certificates / "api.pem", certificates / "api.key"],
                                     stdout=subprocess.PIPE, text=True)
        self.echo_address = self.echo.stdout.readline().strip()
        self.api_address = f"127.0.0.1:{self.system.settings['ports']['edge']}"
        self.inner_address = f"127.0.0.1:{self.system.settings['ports']['inner']}"
        self.gateway_address = f"localhost:{self.system.settings['ports']['gateway']}"
        if first and self.system.regions:
            self.client("set", self.api_address, 256, 1)
            self.wait_ready("bench-0")

    def wait_ready(self, name):
        self.system.user().ok("secrets", "wait", name)

    def close(self):
        if self.echo:
            self.echo.terminate()
            self.echo.wait()
            self.echo = None
        self.system.stop()

    def client(self, mode, address, clients, seconds=None, count=0, program="bench_client", **more):
        """What a load program says."""
        if count:
            more["count"] = count
        return parse(run_program(program, mode, address, self.system.ca, self.system.settings.get("api_key", "-"), clients,
                                 seconds or self.options.seconds, *(f"{name}={value}" for name, value in more.items())))

    def sample(self, mode, side, clients, program="bench_client", **more):
        """The same as a Sample, with the CPU and memory of its server: `api`, `echo`, `gateway` or an Etcd."""
        address, pid = self._server(side)
        with Meter([pid]) as meter:
            said = self.client(mode, address, clients, program=program, **more)
        return Sample.of(said, meter.seconds[0], pid)

    def _server(self, side):
        if not isinstance(side, str):
            return side.address, side.process.pid
        return {"api": lambda: (self.api_address, self.system.api.pid), "echo": lambda: (self.echo_address, self.echo.pid),
                "gateway": lambda: (self.gateway_address, self.system.gateway.pid)}[side]()

    def disk(self, mode, *arguments):
        directory = self.directory / "raw"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return parse(run_program("raw_disk", mode, directory, self.options.seconds / 2, *arguments))


class Fleet:
    """fleet_client on a pipe: provisioners that take everything and keep nothing. fleet.h. `address`: where the API is for them. `far`: they stand for other machines, and what
    they use of this one's cores is what everybody else leaves."""

    def __init__(self, bench, prefix="fleet", address=None, niceness=0, far=False):
        self.scratch = bench.directory / f"fleet-{prefix}"
        self.scratch.mkdir(exist_ok=True)
        scheduled = ["chrt", "--idle", "0"] if far else ["nice", "-n", str(niceness)]
        self.process = subprocess.Popen([*DIE_WITH_PARENT, *scheduled, BIN / "fleet_client", address or bench.inner_address, bench.system.certificates, prefix, self.scratch],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "GRPC_VERBOSITY": "NONE"})

    def ask(self, words):
        self.say(words)
        return self.hear(words)

    def say(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def hear(self, words=""):
        answer = self.process.stdout.readline().split(maxsplit=1)
        if not answer or answer[0] != "done":
            raise BenchFailure(f"fleet, {words}: {answer[1] if answer else 'it ended'}")
        return parse(answer[1])

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class BareStore:
    """bare_server.cc: the bytes of a durable set over the echo's wire into RocksDB, and nothing else. They are those of a set that was written before, with its
    second generation: tests/bench/rows_etcd.py measures them."""

    ROWS, BYTES = 8, 6400

    def __init__(self, bench):
        certificates = bench.system.certificates
        self.data = Path(tempfile.mkdtemp(prefix="bare-", dir=bench.directory))
        self.process = subprocess.Popen([*DIE_WITH_PARENT, BIN / "bare_server", certificates / "api.pem", certificates / "api.key", self.data / "data",
                                         str(self.ROWS), str(self.BYTES)], stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.data, ignore_errors=True)


class Etcd:
    """A single node in the clear on loopback, its data on the same disk."""

    def __init__(self, directory):
        program = shutil.which("etcd")
        if not program:
            raise BenchFailure("etcd is not installed; mend it with: ./dev setup bench")
        self.address = f"127.0.0.1:{free_port()}"
        client, peer = f"http://{self.address}", f"http://127.0.0.1:{free_port()}"
        self.data = Path(tempfile.mkdtemp(prefix="etcd-", dir=directory))
        self.log = (self.data.parent / "etcd.log").open("wb")
        self.process = subprocess.Popen([
            *DIE_WITH_PARENT, program, "--name", "bench", "--data-dir", self.data / "data", "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"bench={peer}",
            "--quota-backend-bytes", str(8 << 30), "--logger", "zap", "--log-level", "error"], stdout=self.log, stderr=self.log)
        wait_for(self._answers, "etcd answers", 30, 0.2)

    def _answers(self):
        if self.process.poll() is not None:
            raise BenchFailure(f"etcd ended as it started: {self.log.name}")
        try:
            run_program("etcd_client", "get", self.address, "-", "-", 1, 1, "count=1")
            return True
        except BenchFailure:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.data, ignore_errors=True)
