"""`keyferry run`: it becomes the command, and the values are nowhere but in the command's environment."""

import signal
import subprocess
import unittest
from pathlib import Path

from case import SystemTest
from harness import BIN, wait_for

SENTINEL = "sentinel-4f1c9b"


class RunTest(SystemTest):
    regions = ("us-west",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user.ok("secrets", "set", "run", f"SECRET={SENTINEL}", "--wait")
        cls.user.ok("deploy", "agent", "image:1", "--secrets", "run", "--wait")

    def run_as(self, *command, agent="agent", options=(), **keywords):
        return self.user.run("run", "--agent", agent, *options, "--", *command, **keywords)

    def test_exit_codes_pass_through(self):
        for code in (0, 1, 7, 255):
            self.assertEqual(self.run_as("/bin/sh", "-c", f"exit {code}").returncode, code)

    def test_death_by_a_signal_passes_through(self):
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            self.assertEqual(self.run_as("/bin/sh", "-c", f"kill -{int(number)} $$").returncode, -number)

    def test_signals_reach_the_command_and_its_pid_is_ours(self):
        process = subprocess.Popen(
            [BIN / "keyferry", "run", "--agent", "agent", "--", "/bin/sh", "-c", 'trap "exit 42" USR1; echo up; while :; do sleep 0.05; done'],
            env=self.user.environment, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"up\n")
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.wait(10), 42)
        process.stdout.close()

    def test_standard_input_and_output_pass_through(self):
        result = self.run_as("/bin/cat", stdin=b"\x00binary\xff")
        self.assertEqual(result.stdout, b"\x00binary\xff")

    def test_values_are_in_the_commands_environment_and_in_no_argument(self):
        process = subprocess.Popen([BIN / "keyferry", "run", "--agent", "agent", "--", "/bin/sleep", "30"], env=self.user.environment)
        try:
            directory = Path(f"/proc/{process.pid}")
            # The kernel names the new program before its environment is there to read.
            wait_for(lambda: b"sleep" in (directory / "comm").read_bytes() and (directory / "environ").read_bytes(), "the command runs")
            self.assertIn(SENTINEL.encode(), (directory / "environ").read_bytes())
            self.assertNotIn(SENTINEL.encode(), (directory / "cmdline").read_bytes())
        finally:
            process.kill()
            process.wait()

    def test_the_callers_credentials_are_not_passed_on(self):
        self.assertNotIn(b"KEYFERRY_API_KEY", self.run_as("/usr/bin/env").stdout)

    def test_the_callers_environment_is_passed_on_and_loses_against_the_set(self):
        output = self.run_as("/usr/bin/env", environment={"MINE": "kept", "SECRET": "shadowed"}).stdout.decode()
        self.assertIn("MINE=kept\n", output)
        self.assertIn(f"SECRET={SENTINEL}\n", output)
        self.assertNotIn("shadowed", output)
        self.assertNotIn(b"MINE", self.run_as("/usr/bin/env", options=["--clean-environment"], environment={"MINE": "kept"}).stdout)

    def test_a_key_that_is_no_variable_name_is_refused_by_name(self):
        self.set("odd-names", "GOOD=1", "with-hyphen=2", "1digit=3")
        self.deploy("odd-names", "odd-names")
        result = self.run_as("/usr/bin/env", agent="odd-names")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"INVALID_ENVIRONMENT_NAME", result.stderr)
        self.assertIn(b"with-hyphen", result.stderr)
        self.assertIn(b"1digit", result.stderr)
        skipped = self.run_as("/usr/bin/env", agent="odd-names", options=["--skip-invalid-names"])
        self.assertIn(b"GOOD=1\n", skipped.stdout)
        self.assertIn(b"with-hyphen", skipped.stderr)

    def test_an_environment_that_the_kernel_would_refuse_is_refused_with_its_size(self):
        """512 KiB of values where the stack limit grants half a MiB for arguments and environment."""
        for number in range(8):
            self.user.ok("secrets", "set", "too-large", "--from-stdin", f"KEY_{number}", stdin=b"x" * 65536)
        self.user.ok("deploy", "too-large", "image:1", "--secrets", "too-large", "--wait")
        script = f"ulimit -S -s 2048; exec {BIN}/keyferry run --agent too-large -- /bin/true"
        result = subprocess.run(["/bin/sh", "-c", script], env=self.user.environment, capture_output=True, check=False)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn(b"ENVIRONMENT_TOO_LARGE", result.stderr)

    def test_a_command_that_is_not_there(self):
        result = self.run_as("/no/such/command")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(b"/no/such/command", result.stderr)

    def test_an_unknown_agent_and_an_agent_of_another_organization(self):
        self.assertIn(b"DEPLOYMENT_NOT_FOUND", self.run_as("/bin/true", agent="unknown").stderr)
        stranger = self.system.user(self.system.new_organization("others"), "others")
        self.assertIn(b"DEPLOYMENT_NOT_FOUND", stranger.run("run", "--agent", "agent", "--", "/bin/true").stderr)

    def test_the_agent_socket_is_private(self):
        socket = self.system.agent_socket("us-west")
        self.assertEqual(socket.stat().st_mode & 0o007, 0, oct(socket.stat().st_mode))


if __name__ == "__main__":
    unittest.main()
