"""A slice of the rotation campaign, and the commands of an operator. The whole: ./dev campaign --rotate 600"""

import shutil
import signal
import tempfile
import unittest
from pathlib import Path

import rotation_campaign
from case import SEED, SystemTest
from harness import BIN, wait_for


class RotationCampaignTest(unittest.TestCase):
    def test_no_value_is_lost_while_every_key_is_rotated(self):
        parent = BIN.parent / "system-tests"
        parent.mkdir(exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="rotation-", dir=parent))
        seed = SEED % 2**31
        print(f"campaign: rotate=20 seed={seed}", flush=True)
        code, report = rotation_campaign.run(directory, seed, 20)
        print(report, flush=True)
        self.assertEqual(code, 0, report)
        shutil.rmtree(directory)


class AdminKeysTest(SystemTest):
    regions = ("us-west",)

    def setUp(self):
        self.operator = self.system.operator()

    def status(self):
        return self.operator.json("admin", "keys", "status")

    def test_an_organizations_key_is_rotated_and_its_values_stay(self):
        self.set("rotated", "KEY=value")
        first = self.operator.json("admin", "keys", "rotate", "--organization", "acme", "--wait")
        second = self.operator.json("admin", "keys", "rotate", "--organization", "acme", "--wait")
        self.assertEqual(second["keyNumber"], first["keyNumber"] + 1)
        self.assertEqual(self.status()["rotations"], [])
        self.set("rotated", "OTHER=value")
        self.wait_files("rotated", {"KEY": b"value", "OTHER": b"value"})

    def test_what_is_not_there_and_who_may_not_are_refused(self):
        for exit_code, words, user, arguments in (
                (1, "ORGANIZATION_NOT_FOUND", self.operator, ("--organization", "nobody")),
                (5, "PERMISSION_DENIED", self.user, ("--system",)),
                (2, "one of --organization", self.operator, ()),
                (2, "one of --organization", self.operator, ("--system", "--root"))):
            result = user.run("admin", "keys", "rotate", *arguments)
            self.assertEqual(result.returncode, exit_code, result.stderr)
            self.assertIn(words, result.stderr.decode())

    def test_a_new_root_key_wraps_everything_and_the_old_one_can_go(self):
        self.set("under-root", "KEY=value")
        keyring = self.system.directory / "api/keyring"
        before = self.status()["rootKey"]["id"]
        self.system._run("keyferry-api", "keyring", "add", keyring, "root")
        self.system.api.send(signal.SIGHUP)
        wait_for(lambda: self.status()["rootKey"]["id"] != before, "the keyring is read again")
        self.operator.ok("admin", "keys", "rotate", "--root", "--wait")
        self.assertEqual(self.status()["keysUnderOldRoot"], 0)
        self.system._run("keyferry-api", "keyring", "retire", keyring, "root", before)
        self.system.api.stop()
        self.system.api.start()
        self.set("under-root", "OTHER=value")
        self.wait_files("under-root", {"KEY": b"value", "OTHER": b"value"})

    def test_a_bad_keyring_is_refused_and_the_old_one_goes_on(self):
        keyring = self.system.directory / "api/keyring"
        good = keyring.read_bytes()
        keyring.write_bytes(good.replace(b"root", b"toor", 1))
        self.system.api.send(signal.SIGHUP)
        wait_for(lambda: "keyring_refused" in self.system.api.log.read_text(), "it says so")
        keyring.write_bytes(good)
        self.set("after-a-bad-keyring", "KEY=value")


if __name__ == "__main__":
    unittest.main()
