"""How the four programs are built, and what they refuse to run without: core dumps off, memory closed to others, freed memory zeroed (T21)."""

import contextlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import seccomp
from case import SystemTest, plain_build
from harness import BIN, wait_for

PROGRAMS = ("keyferry", "keyferry-api", "keyferry-provisioner", "keyferry-gateway")
EXIT_NOT_HARDENED = 78
PR_SET_DUMPABLE = 4
CLOSE_ON_EXEC = 0o2000000

# As a library that stands before glibc: what zeroes freed memory does nothing.
NO_ZEROING = "#include <stddef.h>\nvoid explicit_bzero(void* b, size_t n) {}\nvoid __explicit_bzero_chk(void* b, size_t n, size_t m) {}\n"


def readelf(program, *options):
    return subprocess.run(["readelf", "-W", *options, BIN / program], capture_output=True, text=True, check=True).stdout


@plain_build("flags and search path")
class BuildTest(unittest.TestCase):
    def test_position_independent_with_symbols_bound_at_start_and_then_read_only(self):
        for program in PROGRAMS:
            self.assertIn("DYN (Position-Independent Executable file)", readelf(program, "-h"), program)
            self.assertRegex(readelf(program, "-d"), r"FLAGS_1.*NOW.*PIE", program)
            self.assertIn("GNU_RELRO", readelf(program, "-l"), program)

    def test_no_stack_or_segment_is_both_writable_and_executable(self):
        for program in PROGRAMS:
            segments = readelf(program, "-l")
            self.assertRegex(segments, r"GNU_STACK.* RW +0x", program)
            self.assertNotRegex(segments, r"(?:LOAD|GNU_STACK).*RWE", program)

    def test_no_search_path_for_libraries_is_built_in(self):
        for program in PROGRAMS:
            self.assertNotRegex(readelf(program, "-d"), r"R(?:UN)?PATH", program)

    def test_stack_protector_and_checked_functions_are_linked(self):
        for program in PROGRAMS:
            symbols = readelf(program, "--dyn-syms")
            self.assertIn("__stack_chk_fail", symbols, program)
            self.assertRegex(symbols, r"__(?:memcpy|memset|snprintf|fprintf|explicit_bzero)_chk", program)

    def test_every_file_was_compiled_with_every_flag(self):
        if not (commands := BIN.parent / "compile_commands.json").exists():
            self.skipTest("no compile_commands.json")
        wanted = ("-D_FORTIFY_SOURCE=3", "-D_GLIBCXX_ASSERTIONS", "-fstack-protector-strong", "-fstack-clash-protection", "-fcf-protection")
        lines = [line for line in commands.read_text().splitlines() if '"command":' in line]
        self.assertGreater(len(lines), 100)
        for line in lines:
            for flag in wanted:
                self.assertIn(flag, line)
            self.assertRegex(line, r"-fPI[EC]")


class RefusalTest(unittest.TestCase):
    """Of each program: it ends before it reads anything when one of its protections does not hold."""

    def run_denied(self, rule, program):
        return subprocess.run([sys.executable, seccomp.__file__, rule, BIN / program, "--version"], capture_output=True, text=True, check=False)

    def refused(self, result, event, program):
        self.assertEqual(result.returncode, EXIT_NOT_HARDENED, f"{program}: {result.stderr}")
        self.assertIn(event, result.stderr, program)

    def test_when_its_memory_stays_open_to_others(self):
        for program in PROGRAMS:
            self.refused(self.run_denied(f"deny:prctl:{PR_SET_DUMPABLE}", program), "process_still_dumpable", program)

    @plain_build("limits")
    def test_when_core_dumps_stay_on(self):
        for program in PROGRAMS:
            self.refused(self.run_denied(f"deny:prlimit64:{resource.RLIMIT_CORE}", program), "core_dumps_not_disabled", program)

    @plain_build("malloc and free")
    def test_when_freed_memory_is_not_zeroed(self):
        with tempfile.TemporaryDirectory() as directory:
            source, library = Path(directory) / "no_zeroing.c", Path(directory) / "no_zeroing.so"
            source.write_text(NO_ZEROING)
            subprocess.run(["cc", "-shared", "-fPIC", "-fno-builtin", "-o", library, source], check=True)
            for program in PROGRAMS:
                result = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, check=False, env={"LD_PRELOAD": str(library)})
                self.refused(result, "freed_memory_not_zeroed", program)


class RunningTest(SystemTest):
    regions = ("us-west",)

    def test_every_descriptor_is_closed_on_exec(self):
        self.set("open", "KEY=value")
        self.deploy("open-agent", "open")
        with contextlib.ExitStack() as connections:
            for name in ("inner", "edge", "gateway", "gateway_plain", "gateway_metrics"):
                connections.enter_context(socket.create_connection(("127.0.0.1", self.system.settings["ports"][name])))
            agent = connections.enter_context(socket.socket(socket.AF_UNIX))
            agent.connect(str(self.system.agent_socket("us-west")))
            wait_for(lambda: all(self.count_sockets(daemon) > 2 for daemon in self.system.daemons), "connections were accepted")
            for daemon in self.system.daemons:
                for info in Path(f"/proc/{daemon.pid}/fdinfo").iterdir():
                    if int(info.name) <= 2:
                        continue
                    flags = int(re.search(r"flags:\s+(\d+)", info.read_text())[1], 8)
                    target = Path(f"/proc/{daemon.pid}/fd/{info.name}").readlink()
                    self.assertTrue(flags & CLOSE_ON_EXEC, f"{daemon.name}: {info.name} is {target}")

    @staticmethod
    def count_sockets(daemon):
        return sum(str(each.readlink()).startswith("socket:") for each in Path(f"/proc/{daemon.pid}/fd").iterdir())

    def test_no_daemon_dumps_core(self):
        for daemon in self.system.daemons:
            limits = Path(f"/proc/{daemon.pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0 ", daemon.name)


if __name__ == "__main__":
    unittest.main()
