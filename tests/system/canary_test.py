"""A thousand values through all that is done with secrets: afterwards they are in the regions' sinks and nowhere else (T1, T19, T20, T21)."""

import base64
import contextlib
import os
import re
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from canaries import Canaries, Capture, forms, is_tls
from case import SystemTest, plain_build
from harness import BIN, System, wait_for
from rest import Rest

# Root without capabilities is to its own processes what any user is to his.
AS_A_USER = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
VOLATILE = "/dev/shm" if os.path.ismount("/dev/shm") else None
KEYS_A_SET = 45
SETS = 16
OPEN_MEMORY = "import sys; open(f'/proc/{sys.argv[1]}/mem', 'rb').close()"
TRACE = ("import ctypes, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n"
         "if libc.ptrace(16, int(sys.argv[1]), 0, 0): raise PermissionError(ctypes.get_errno(), 'ptrace')")
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern").read_text()
DIE = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"


@plain_build("malloc and free, handler of SIGSEGV and tracer of its own memory")
@unittest.skipUnless(os.geteuid() == 0, "packets of loopback and the memory of processes are root's to read")
class CanaryTest(SystemTest):
    log_level = "debug"

    @classmethod
    def new_system(cls):
        cls.backups = cls.directory / "backups"
        return System(cls.directory, cls.regions, cls.log_level, api_flags=(
            "--backup-directory", cls.backups, "--backup-interval", "0", "--audit-directory", cls.directory / "audit"))

    @classmethod
    def setUpClass(cls):
        # Cores are written where a process runs: below the directory that is searched, and nothing of ours forbids them.
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        cls.canaries = Canaries(1000)
        cls.aside = Path(tempfile.mkdtemp(prefix="keyferry-canary-", dir=VOLATILE))
        cls.addClassCleanup(shutil.rmtree, cls.aside)
        super().setUpClass()
        before = os.getcwd()
        os.chdir(cls.directory)
        cls.addClassCleanup(os.chdir, before)
        for daemon in cls.system.daemons:
            daemon.stop()
            daemon.command = [*AS_A_USER, *daemon.command]
        ports = cls.system.settings["ports"]
        cls.capture = Capture([ports[name] for name in ("inner", "edge", "gateway", "gateway_plain")])
        cls.addClassCleanup(cls.capture.stop)
        cls.start_daemons()
        cls.operator = cls.system.operator()

    @classmethod
    def start_daemons(cls):
        for daemon in (cls.system.api, *cls.system.provisioners.values(), cls.system.gateway):
            daemon.start()

    # Doing. What a command prints is kept among the files that are searched.

    def run_cli(self, *arguments, user=None, code=0, **options):
        result = (user or self.user).run(*arguments, **options)
        (self.directory / "outputs").mkdir(exist_ok=True)
        (self.directory / "outputs" / secrets.token_hex(8)).write_bytes(result.stdout + result.stderr)
        if code is not None:
            self.assertEqual(result.returncode, code, f"{arguments[:3]}: {result.stderr.decode(errors='replace')}")
        return result

    def send(self, client, status, method, path, body=None, **options):
        reply = client.send(method, path, body, **options)
        (self.directory / "outputs" / secrets.token_hex(8)).write_bytes(reply.body + repr(reply.headers).encode())
        self.assertEqual(reply.status, status, f"{method} {path[:40]}: {reply.body[:200] if status < 300 else ''}")

    def write_set(self, name, count, region="us-west"):
        file = self.aside / "values.env"
        file.write_text("".join(f"KEY_{i}={value}\n" for i, value in enumerate(self.canaries.take(count))))
        self.run_cli("secrets", "set", name, "--file", str(file), "--region", region)
        file.unlink()

    def write(self):
        for number in range(SETS):
            self.write_set(f"set-{number}", KEYS_A_SET, self.regions[number % 2])
        for number in range(SETS):
            pair = f"KEY_0={self.canaries.take()}"
            self.run_cli("secrets", "set", f"set-{number}", pair, "--wait=30s")
            self.run_cli("secrets", "image-pull-secret", f"pull-{number}", "registry.example", f"robot:{self.canaries.take()}", "--wait=30s")
        self.run_cli("deploy", "agent", "image:1", "--secrets", "set-0", "--credentials", "pull-0", "--wait=30s")
        self.run_cli("deploy", "east", "image:1", "--secrets", "set-1", "--wait=30s")
        self.run_cli("run", "--agent", "agent", "--", "/bin/true")
        self.run_cli("secrets", "rollback", "set-0", "1")
        self.run_cli("secrets", "unset", "set-0", "KEY_1")
        self.run_cli("secrets", "wait", "set-0")
        self.run_cli("secrets", "delete", "set-15", "-s")

    def write_over_rest(self, client, status=202):
        for number in range(2):
            pairs = [{"secretKey": f"KEY_{i}", "secretValue": value} for i, value in enumerate(self.canaries.take(20))]
            self.send(client, status, "PUT", f"/v1/secrets/rest-{number}", {"secrets": pairs})
            body = {"isImagePullSecret": True, "host": "registry.example", "secretValue": f"robot:{self.canaries.take()}"}
            self.send(client, status, "PUT", f"/v1/secrets/rest-pull-{number}", body)

    def be_refused(self, client):
        take = self.canaries.take
        viewer = self.system.user(self.system.new_key("acme", "viewer"))
        other = self.system.user(self.system.new_organization("other"), "other")
        for arguments, user in (
                (("secrets", "set", "set-2", f"KEY={take()}", "--region", "us-east"), None), (("secrets", "set", "set-2", f"KEY={take()}", "--etag", "old"), None),
                (("secrets", "set", "UPPER", f"KEY={take()}"), None), (("secrets", "set", "set-2", f"{'K' * 65}={take()}"), None),
                (("secrets", "set", "set-2", f"bad.key={take()}"), None), (("secrets", "set", "new", f"KEY={take()}", "--region", "mars"), None),
                (("secrets", "set", "pull-2", f"KEY={take()}"), None), (("secrets", "set", "set-2", f"K={take()}", f"K={take()}"), None),
                (("secrets", "image-pull-secret", "set-2", "registry.example", f"robot:{take()}"), None),
                (("secrets", "image-pull-secret", "pull-2", "bad host", f"robot:{take()}"), None),
                (("secrets", "set", "set-2", f"KEY={take()}"), viewer), (("secrets", "set", "set-2", f"KEY={take()}", "--organization", "acme"), other),
                (("secrets", "set", "set-2", f"KEY={take()}"), self.system.user(take()))):
            self.assertNotEqual(self.run_cli(*arguments, user=user, code=None).returncode, 0, arguments[:3])
        for content in (take() * 3000, take() + "\0"):
            self.assertNotEqual(self.run_cli("secrets", "set", "set-2", "--from-stdin", "KEY", stdin=content.encode(), code=None).returncode, 0)
        path = "/v1/secrets/set-2"
        whole = {"secretKey": "KEY", "secretValue": take()}
        self.send(client, 400, "PUT", path, {"secrets": [whole, whole]})
        self.send(client, 400, "PUT", path, {"secrets": [{**whole, take(): 1}]})
        self.send(client, 400, "PUT", path, raw=f'{{"secrets": "{take()}'.encode())
        self.send(client, 409, "PUT", path, {"secrets": [whole]}, headers={"If-Match": take()})
        self.send(client, 415, "PUT", path, whole, headers={"Content-Type": f"text/{take()}"})
        self.send(client, 401, "PUT", path, whole, headers={"Authorization": f"Bearer {take()}"})
        self.send(client, 404, "PUT", f"/v1/{take()}", whole)
        self.send(client, 414, "GET", "/v1/secrets/" + take() * 200)
        self.send(client, 413, "PUT", path, raw=take().encode() * 140000)

    def operate(self):
        """Enrollment, rotation of every layer, backups, the audit trail."""
        self.system.prepare_provisioner("us-west", 2)
        standby = self.system.provisioner("us-west", 2)
        standby.start()
        self.addCleanup(standby.stop)
        self.run_cli("admin", "backup", user=self.operator)
        self.run_cli("admin", "keys", "rotate", "--organization", "acme", "--wait", user=self.operator)
        self.run_cli("admin", "keys", "rotate", "--system", "--wait", user=self.operator)
        subprocess.run([BIN / "keyferry-api", "keyring", "add", self.directory / "api/keyring", "root"], check=True, capture_output=True)
        self.system.api.send(signal.SIGHUP)
        self.run_cli("admin", "keys", "rotate", "--root", "--wait", user=self.operator)
        self.system.provisioner_command("rotate-key", self.system.keyring("us-west"))
        standby.send(signal.SIGHUP)
        self.system.provisioners["us-west"].send(signal.SIGHUP)
        wait_for(lambda: "sealing_key_changed" in self.system.provisioners["us-west"].log.read_text(), "the region's key is changed")
        wait_for(lambda: all(each["status"] == "ready" for each in self.sets(self.user.json("secrets", "list"))), "everything is proved again", 60, 0.2)
        self.run_cli("admin", "backup", user=self.operator)
        for user in (self.user, self.operator):
            self.run_cli("admin", "audit", "list", user=user)
            self.run_cli("admin", "audit", "export", "--to", str(self.directory / f"export-{secrets.token_hex(4)}.jsonl"), user=user)
        for arguments in (("secrets", "list"), ("secrets", "list", "set-0"), ("-o", "yaml", "secrets", "list"), ("secrets", "history", "set-0"),
                          ("agents", "list"), ("agents", "show", "agent")):
            self.run_cli(*arguments)
        self.run_cli("admin", "status", user=self.operator)

    # Looking.

    def assert_nowhere(self, when):
        found = self.canaries.files_with(self.directory) + self.canaries.files_with(self.system.volatile, besides=["files"])
        self.assertEqual(found, [], f"a value is in these files {when}")

    def assert_every_kind_of_file_was_there(self):
        names = [path.relative_to(self.directory).as_posix() for path in self.directory.rglob("*") if path.is_file()]
        for pattern in (r"api/data.*\.sst", r"api/data.*\.log", r"api/data.*/MANIFEST", r"api/data.*/LOG", r"us-east/data-1.*\.(sst|log)", r"us-west/data-2/",
                        r"us-west/identity-2/", r"backups/objects/", r"backups/manifests/", r"audit/audit-.*jsonl", r"export-.*jsonl", r"logs/api\.log",
                        r"logs/us-west-2\.log", r"logs/gateway\.log", r"outputs/"):
            self.assertTrue(any(re.match(pattern, name) for name in names), f"no file like {pattern} to search")

    def crash(self, number):
        """Each daemon dies of the signal; those that run again find everything."""
        for daemon in self.system.daemons:
            daemon.send(number)
            wait_for(lambda daemon=daemon: not daemon.pid, f"{daemon.name} dies of signal {number}", 20)
        self.assertEqual(self.cores(), [], "a daemon left a core")
        self.start_daemons()

    def cores(self):
        return [path for path in self.directory.rglob("core*") if path.is_file() and path.read_bytes()[:4] == b"\x7fELF"]

    def assert_no_hop_shows_them(self):
        """All four hops are TLS from their first byte; on the plain door, which is loopback's, the values are seen: the capture sees what there is."""
        self.assertEqual(self.capture.stop(), 0, "packets were lost")
        ports = self.system.settings["ports"]
        for door in ("inner", "edge", "gateway"):
            streams = self.capture.bytes_of(ports[door])
            self.assertGreater(sum(map(len, streams.values())), 20_000, door)
            for ends, stream in streams.items():
                self.assertEqual(self.canaries.count(stream), 0, f"a value on the way to {door}, {ends}")
                self.assertTrue(is_tls(stream), f"{door}, {ends}: begins with {stream[:8].hex()}")
        self.assertGreater(sum(map(self.canaries.count, self.capture.bytes_of(ports["gateway_plain"]).values())), 40, "the capture's control")

    def assert_no_copy_in(self, *daemons):
        """What they had in hand was zeroed when it was freed. Connections that are open keep the last bytes that went over them: these are closed."""
        for daemon in daemons:
            wait_for(lambda daemon=daemon: self.canaries.in_memory(daemon.pid) == 0, f"no copy is left in the memory of {daemon.name}", 10, 0.5)

    def test_a_thousand_values_show_nowhere_but_in_the_sinks(self):
        key = self.system.settings["api_key"]
        self.write()
        self.assert_no_copy_in(self.system.api, *self.system.provisioners.values())
        with contextlib.closing(Rest(self.system.gateway_url, key, self.system.ca)) as client:
            self.write_over_rest(client)
            self.be_refused(client)
        with contextlib.closing(Rest(self.system.plain_gateway_url, key)) as client:
            self.write_over_rest(client)
        self.operate()
        self.assert_no_hop_shows_them()
        self.assert_nowhere("after all of it, while the processes run")
        self.system.api.stop()
        self.assert_no_copy_in(self.system.gateway)
        self.system.api.start()
        self.crash(signal.SIGSEGV)
        self.write_set("last", self.canaries.left)
        self.run_cli("secrets", "wait", "last")
        self.crash(signal.SIGABRT)
        self.run_cli("secrets", "wait", "last")
        for region in self.regions:
            self.assertGreater(len(self.canaries.files_with(self.system.files(region))), 300, f"the sink of {region}")
        for daemon in self.system.daemons:
            self.assertTrue(daemon.stop(), daemon.name)
        self.assert_every_kind_of_file_was_there()
        self.assert_nowhere("after all has stopped")
        self.start_daemons()

    def test_another_process_of_the_same_user_can_neither_read_nor_trace_a_daemon(self):
        with subprocess.Popen([*AS_A_USER, "sleep", "60"]) as open_one:
            wait_for(lambda: Path(f"/proc/{open_one.pid}/comm").read_text() == "sleep\n", "it is what it becomes")
            for script in (OPEN_MEMORY, TRACE):
                self.assertEqual(self.attack(script, open_one.pid), "", "the control: a process that is not closed")
            open_one.kill()
        for daemon in self.system.daemons:
            self.assertIn("Permission denied", self.attack(OPEN_MEMORY, daemon.pid), daemon.name)
            self.assertIn("ptrace", self.attack(TRACE, daemon.pid), daemon.name)

    @staticmethod
    def attack(script, pid):
        return subprocess.run([*AS_A_USER, sys.executable, "-c", script, str(pid)], capture_output=True, text=True, check=False).stderr

    def test_the_search_finds_what_is_planted(self):
        value = self.canaries.values[77].encode()
        planted = self.aside / "planted"
        planted.mkdir()
        self.addCleanup(shutil.rmtree, planted)
        for number, form in enumerate([*forms(value), value.hex().upper().encode(), value[:16], value[-16:], base64.b64encode(b"ab" + value)]):
            path = planted / str(number)
            path.write_bytes(b"\0\xff\n" + form + b"\0")
            self.assertEqual(self.canaries.files_with(planted), [path], form)
            self.assertGreater(self.canaries.count(path.read_bytes()), 0)
            path.unlink()
        (planted / "other").write_bytes(os.urandom(1 << 20))
        self.assertEqual(self.canaries.files_with(planted), [])
        self.assertGreater(self.canaries.in_memory(os.getpid()), len(self.canaries.values), "the control of memory: this process has them all")
        process = subprocess.run([sys.executable, "-c", DIE], cwd=planted, check=False)
        self.assertEqual(process.returncode, -signal.SIGSEGV)
        if CORE_PATTERN.startswith("core"):
            self.assertTrue(list(planted.glob("core*")), "the control of cores: where nothing forbids them there is one")


if __name__ == "__main__":
    unittest.main()
