"""Rows of docs/threat-model.md whose proof is the built programs themselves: what they can not do, what they are made of, which ports they hold."""

import base64
import json
import re
import shlex
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from canaries import Canaries, forms
from case import SystemTest, plain_build
from grpc_stubs import Stubs, grpc
from harness import BIN, ROOT

PROGRAMS = ("keyferry", "keyferry-api", "keyferry-provisioner", "keyferry-gateway")
# What opens values, data keys and rows. The API has it for escrow, the provisioner for its region.
OPENING = ("keyferry::OpenedDataKey::Open(", "keyferry::RegionKey::OpenBox(", "keyferry::UnwrapDataKey(", "keyferry::RowSealer::Open(", "keyferry::Barrier::Open(")
LISTENING = "0A"
# An operator who names a region or provisioner that is not there reads his own word in the answer, and nobody else does.
NAMES_OF_OPERATORS = {f"{name} by operator" for name in ("Regions/GetRegion", "Regions/Resync", "Regions/CreateEnrollmentToken", "Regions/RevokeProvisioners")}


def symbols(program):
    return subprocess.run(["nm", "-C", BIN / program], capture_output=True, text=True, check=True).stdout


class ProgramsTest(unittest.TestCase):
    def test_what_operators_and_the_gateway_run_holds_nothing_that_opens_a_value(self):
        """T25. They show what the API answers, and no answer of it has a value."""
        for name in OPENING[:2]:
            self.assertIn(name, symbols("keyferry-provisioner"), "the control")
        for program in ("keyferry", "keyferry-gateway"):
            found = symbols(program)
            self.assertIn("main", found)
            self.assertEqual([name for name in OPENING if name in found], [], program)

    @plain_build("libraries")
    def test_every_library_is_a_debian_package(self):
        """T28. Nothing is downloaded or vendored: Debian's security updates reach all of it."""
        if not Path("/var/lib/dpkg/status").exists():
            self.skipTest("no dpkg here")
        libraries = set()
        for program in PROGRAMS:
            listed = subprocess.run(["ldd", BIN / program], capture_output=True, text=True, check=True).stdout
            self.assertNotIn("not found", listed, program)
            libraries |= {str(Path(path).resolve()) for path in re.findall(r"=> (/\S+)", listed)}
        self.assertGreater(len(libraries), 15)
        # Where /lib leads to /usr/lib, packages may have said either.
        for path in libraries:
            owners = [subprocess.run(["dpkg", "-S", name], capture_output=True, text=True, check=False) for name in (path, path.removeprefix("/usr"))]
            self.assertTrue(any(owner.returncode == 0 for owner in owners), f"{path} is of no package")

    def test_the_same_source_compiles_to_the_same_bytes(self):
        """T28. No time, user or random number gets in; two builds in one directory differ in nothing."""
        if not (database := BIN.parent / "compile_commands.json").exists():
            self.skipTest("no compile_commands.json")
        commands = {entry["file"]: entry for entry in json.loads(database.read_text())}
        for source in ("libs/crypto/aead.cc", "cli/dotenv.cc", "libs/model/names.cc"):
            entry = commands[str(ROOT / source)]
            words = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
            with tempfile.TemporaryDirectory() as directory:
                objects = [Path(directory) / name for name in ("first.o", "second.o")]
                for path in objects:
                    words[words.index("-o") + 1] = str(path)
                    subprocess.run(words, cwd=entry["directory"], check=True, capture_output=True)
                self.assertEqual(objects[0].read_bytes(), objects[1].read_bytes(), source)


class PortsTest(SystemTest):
    regions = ("us-west",)
    api_flags = ("--metrics-listen", "127.0.0.1:0")

    @staticmethod
    def ports_of(pid):
        sockets = {str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir() if each.is_symlink()}
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and f"socket:[{fields[9]}]" in sockets:
                yield int(fields[1].split(":")[1], 16)

    def test_nobody_can_listen_on_a_port_of_ours_beside_us(self):
        """T29. gRPC's own listeners share their port with whoever asks for it (SO_REUSEPORT)."""
        counts = {daemon.name: 0 for daemon in self.system.daemons}
        for daemon in self.system.daemons:
            for port in self.ports_of(daemon.pid):
                counts[daemon.name] += 1
                for address in ("127.0.0.1", "0.0.0.0"):
                    with socket.socket() as other:
                        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                        with self.assertRaises(OSError, msg=f"{daemon.name}: {address}:{port}"):
                            other.bind((address, port))
                            other.listen()
        self.assertEqual(counts, {"api": 3, "gateway": 3, "us-west-1": 0})


class AnswersTest(SystemTest):
    """T20. Every RPC, by every kind of caller, with a value wherever a request has room for text, and none of it fit for its place."""
    regions = ("us-west",)
    log_level = "debug"

    def filled(self, message, text, depth=3):
        """A request of the type with the text in all its strings and bytes; without times and numbers."""
        found = {}
        for field in message.fields if depth and not message.full_name.startswith("google.protobuf") else ():
            if field.type == field.TYPE_MESSAGE:
                content = None if field.message_type.GetOptions().map_entry else self.filled(field.message_type, text, depth - 1) or None
            else:
                content = {field.TYPE_STRING: text, field.TYPE_BYTES: base64.b64encode(text.encode()).decode()}.get(field.type)
            if content is not None:
                found[field.json_name] = [content] if field.is_repeated else content
        return found

    def answer(self, stubs, name, method, request):
        """All that comes back, as text; and whether it is a refusal."""
        try:
            if not method.server_streaming:
                return json.dumps(stubs.call(name, request, timeout=10)), False
            started, answers = stubs.stream(name, request, timeout=1)
            found = json.dumps(next(answers, {}))
            started.cancel()
            return found, False
        except grpc.RpcError as error:
            parts = (error.details(), error.debug_error_string(), error.trailing_metadata(), error.initial_metadata())
            return repr(parts), error.code() is not grpc.StatusCode.UNIMPLEMENTED

    def test_no_answer_and_no_log_repeats_what_a_request_held(self):
        canaries, ports, certificates = Canaries(400), self.system.settings["ports"], self.system.certificates
        edge, inner = f"localhost:{ports['edge']}", f"localhost:{ports['inner']}"
        operator = (certificates / "operator.key").read_bytes(), (certificates / "operator.pem").read_bytes()
        keys = {role: self.system.new_key("acme", role) for role in ("admin", "viewer")}
        callers = {"admin": (edge, keys["admin"]), "viewer": (edge, keys["viewer"]), "nobody": (edge, None), "operator": (inner, None, operator)}
        refused, asked, repeats = set(), set(), set()
        for caller, (target, *credentials) in callers.items():
            with Stubs(target, self.system.ca, *credentials) as stubs:
                for service, description in stubs.services.items():
                    for method in description.methods:
                        name = f"{service}/{method.name}"
                        if method.client_streaming or service == "Environments":
                            continue
                        asked.add(name)
                        value = canaries.take()
                        request = self.filled(method.input_type, value + "!")
                        variants = [request, {**request, "organization": "acme"}] if "organization" in request else [request]
                        # The access log says which organization an operator named, as he named it.
                        variants = variants[-1:] if caller == "operator" else variants
                        for variant in variants:
                            text, was_refused = self.answer(stubs, name, method, variant)
                            repeats |= {f"{name} by {caller}"} if any(form in text.encode() for form in forms(value.encode())) else set()
                            refused |= {name} if was_refused else set()
        print(f"{len(asked)} RPCs were asked, {len(refused)} refused something")
        self.assertEqual(repeats - NAMES_OF_OPERATORS, set(), "these answer with what they were sent")
        self.assertGreater(len(asked), 45)
        self.assertGreater(len(refused), 0.8 * len(asked))
        self.system.api.stop()
        self.assertEqual(canaries.files_with(self.directory), [])
        self.system.api.start()


if __name__ == "__main__":
    unittest.main()
