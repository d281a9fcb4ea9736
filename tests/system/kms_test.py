"""The root key in an HSM: a real KMS v2 plugin over a real SoftHSM2 token, and what goes on while it is away, hangs, or has a newer key."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from case import SystemTest
from harness import DIE_WITH_PARENT, System, wait_for

import grpc
import softhsm_kms

EXIT_KMS_AWAY = 69
EXIT_CONFIGURATION = 78
SERVING, NOT_SERVING = 1, 2
LABEL, PIN = "keyferry", "1234"


class Plugin:
    """softhsm_kms.py as a process on a socket of its own directory; its token outlives it."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.directory.mkdir(mode=0o700)
        self.socket = self.directory / "kms.sock"
        self.log = self.directory / "log"
        self.environment = softhsm_kms.new_token(self.directory / "token", LABEL, PIN)
        self.process = None

    @classmethod
    def of_class(cls, test):
        """Started, and gone with the test's class. Not in the system's own directory, which its first start empties."""
        plugin = cls(f"{test.directory}-kms")
        plugin.start()
        test.addClassCleanup(shutil.rmtree, plugin.directory)
        test.addClassCleanup(plugin.kill)
        return plugin

    def start(self):
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*DIE_WITH_PARENT, sys.executable, softhsm_kms.__file__, self.socket, LABEL, PIN], stdout=log, stderr=log,
                                            env={**os.environ, **self.environment})
        wait_for(self.socket.exists, "the plugin listens")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def send(self, number):
        self.process.send_signal(number)

    def rotate(self):
        before = self.log.read_text().count("rotated")
        self.send(signal.SIGHUP)
        wait_for(lambda: self.log.read_text().count("rotated") > before, "the HSM has a newer key")

    def newest_key(self):
        return re.findall(r"rotated (\S+)", self.log.read_text())[-1]

    def uids(self):
        return set(re.findall(r"(?:Encrypt|Decrypt) ([0-9a-f]{32})", self.log.read_text()))


def rewrap(system):
    """Wraps every key by the present root key; answers the keys' status when none is under an older one."""
    system.operator().ok("admin", "keys", "rotate", "--root", "--wait=60s")
    status = system.operator().json("admin", "keys", "status")
    assert status["keysUnderOldRoot"] == 0, status
    return status


def health(system, service):
    """Of grpc.health.v1, by hand: field 1 of its request is the service, field 1 of its answer the state."""
    credentials = grpc.ssl_channel_credentials(system.ca.read_bytes())
    with grpc.secure_channel(f"localhost:{system.settings['ports']['edge']}", credentials, [("grpc.use_local_subchannel_pool", 1)]) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        return check(b"\x0a" + bytes([len(service)]) + service.encode(), timeout=10)[1]


class KmsTest(SystemTest):
    regions = ("us-west",)

    @classmethod
    def new_system(cls):
        cls.plugin = Plugin.of_class(cls)
        return System(cls.directory, cls.regions, cls.log_level, api_flags=("--kms-socket", cls.plugin.socket))

    def tearDown(self):
        super().tearDown()
        self.plugin.send(signal.SIGCONT)
        if self.plugin.process.poll() is not None:
            self.plugin.start()
        if not self.system.api.pid:
            self.system.api.start()
        self.wait_ready(SERVING)

    def wait_ready(self, state):
        """Status is asked every 60 s while all is well, every 10 s otherwise."""
        wait_for(lambda: health(self.system, "ready") == state, f"`ready` is {state}", 30, 0.2)

    def new_organization_is_refused(self, name):
        begin = time.monotonic()
        result = self.system.operator().run("orgs", "create", name)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("KMS_UNAVAILABLE", result.stderr.decode())
        self.assertNotIn(str(self.plugin.socket), result.stderr.decode())
        return time.monotonic() - begin

    def restart_api(self):
        self.system.api.stop()
        self.system.api.start()
        wait_for(lambda: self.user.run("whoami").returncode == 0, "the API answers")

    def test_sets_are_written_delivered_and_still_there_after_a_restart(self):
        self.set("in-the-hsm", "KEY=value")
        self.deploy("agent-of-the-hsm", "in-the-hsm")
        self.restart_api()
        self.assertEqual(self.environment("agent-of-the-hsm"), {"KEY": b"value"})
        self.set("in-the-hsm", "KEY=newer")
        self.wait_files("in-the-hsm", {"KEY": b"newer"})

    def test_each_call_has_a_uid_in_both_logs(self):
        self.system.new_organization("both-logs")
        ours = set(re.findall(r'"kms_call","method":"(?:Encrypt|Decrypt)","uid":"([0-9a-f]{32})"', self.system.api.log.read_text()))
        self.assertGreaterEqual(len(ours), 6)
        self.assertEqual(ours, self.plugin.uids())

    def test_while_the_plugin_is_gone_what_was_open_serves_and_new_organizations_are_refused(self):
        self.set("served", "KEY=old")
        self.plugin.kill()
        for value in ("1", "2", "3"):
            self.set("served", f"KEY={value}")
            self.wait_files("served", {"KEY": value.encode()})
        self.set("made-meanwhile", "KEY=value")
        self.new_organization_is_refused("refused-gone")
        self.wait_ready(NOT_SERVING)
        self.assertEqual(health(self.system, ""), SERVING, "liveness does not tell of the KMS")
        self.plugin.start()
        self.wait_ready(SERVING)
        key = self.system.new_organization("after-the-outage")
        self.set("first", "KEY=value", user=self.system.user(key, "after-the-outage"))

    def test_while_the_plugin_hangs_nobody_waits_for_it_who_does_not_need_it(self):
        self.set("quick", "KEY=old")
        self.plugin.send(signal.SIGSTOP)
        self.assertLess(self.new_organization_is_refused("refused-hung"), 20)
        self.assertLess(self.new_organization_is_refused("refused-hung"), 2, "the second one is refused at once")
        begin = time.monotonic()
        self.set("quick", "KEY=new")
        self.assertLess(time.monotonic() - begin, 5)
        self.wait_ready(NOT_SERVING)
        self.plugin.send(signal.SIGCONT)
        self.wait_ready(SERVING)
        self.system.new_organization("after-the-hang")

    def test_an_api_that_starts_while_the_plugin_is_away_ends_and_says_why(self):
        self.set("waits", "KEY=value")
        self.system.api.stop()
        self.plugin.kill()
        self.system.api.start(wait=False)
        self.assertEqual(self.system.api.process.wait(60), EXIT_KMS_AWAY)
        self.assertIn("nothing can be served before the KMS has unwrapped the system's key", self.system.api.tail())
        self.system.api.start(wait=False)
        time.sleep(2)
        self.plugin.start()
        self.system.api.wait_ready()
        self.assertEqual(self.show("waits")["status"], "ready")

    def test_a_socket_that_is_not_to_be_trusted_is_a_mistake_of_configuration(self):
        self.system.api.stop()
        for mode, words in ((0o666, "more than 0660"),):
            os.chmod(self.plugin.socket, mode)
            self.system.api.start(wait=False)
            self.assertEqual(self.system.api.process.wait(30), EXIT_CONFIGURATION)
            self.assertIn(words, self.system.api.tail())
        os.chmod(self.plugin.socket, 0o660)
        self.system.api.start()

    def test_a_newer_key_in_the_hsm_wraps_what_is_new_and_the_older_ones_unwrap(self):
        self.set("before-rotation", "KEY=value")
        self.plugin.rotate()
        key = self.system.new_organization("after-rotation")
        user = self.system.user(key, "after-rotation")
        self.set("new", "KEY=value", user=user)
        self.restart_api()
        self.assertEqual(self.show("before-rotation")["status"], "ready")
        self.assertEqual(self.show("new", user)["status"], "ready")
        self.set("before-rotation", "KEY=newer")
        status = rewrap(self.system)
        self.assertEqual((status["rootKey"]["provider"], status["rootKey"]["id"]), ("kms", f"kms:{self.plugin.newest_key()}"))
        self.restart_api()
        self.assertEqual(self.show("before-rotation")["status"], "ready")


class MoveTest(SystemTest):
    """From the keyring into the HSM, and back."""

    regions = ("us-west",)

    @classmethod
    def new_system(cls):
        cls.plugin = Plugin.of_class(cls)
        return System(cls.directory, cls.regions, cls.log_level)

    def restart_api(self, *flags):
        self.system.api.stop()
        self.system._describe()
        self.system.api.command += map(str, flags)
        self.system.api.start()
        wait_for(lambda: self.user.run("whoami").returncode == 0, "the API answers")

    def test_an_installation_moves_into_the_hsm_and_back(self):
        self.set("moves", "KEY=value")
        into = ("--kms-socket", self.plugin.socket)
        self.restart_api(*into)
        self.assertEqual(self.show("moves")["status"], "ready")
        self.assertEqual(rewrap(self.system)["rootKey"]["provider"], "kms")
        user = self.system.user(self.system.new_organization("born-in-the-hsm"), "born-in-the-hsm")
        self.set("new", "KEY=value", user=user)
        self.system.api.stop()
        self.system._describe()
        self.system.api.start(wait=False)
        self.assertEqual(self.system.api.process.wait(30), EXIT_CONFIGURATION)
        self.assertIn("start with --kms-socket", self.system.api.tail())

        self.restart_api(*into, "--wrap-with", "keyring")
        self.assertEqual(self.show("new", user)["status"], "ready")
        self.assertEqual(rewrap(self.system)["rootKey"]["provider"], "keyring")
        self.restart_api()
        self.assertEqual(self.show("moves")["status"], "ready")
        self.assertEqual(self.show("new", user)["status"], "ready")


if __name__ == "__main__":
    unittest.main()
