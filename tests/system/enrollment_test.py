"""How provisioners get their identity, keep it, and lose it; and how a region changes its key. Real processes, real time."""

import datetime
import os
import shutil
import stat
import time
import unittest

from case import SystemTest
from harness import BIN, PATIENCE, Daemon, wait_for

REFUSED = 77


class EnrollmentCase(SystemTest):
    regions = ("us-west",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.system.operator()

    @property
    def provisioner(self):
        return self.system.provisioners["us-west"]

    def token(self):
        return self.operator.ok("regions", "token", "us-west")

    def region(self, name="us-west"):
        return self.operator.json("regions", "show", name)

    def shown(self, number, region="us-west"):
        """What the API says of this provisioner; None: it never heard of it."""
        return next((each for each in self.region(region)["provisioners"] if each["id"] == f"{region}-{number}"), None)

    def is_connected(self, number):
        shown = self.shown(number)
        return bool(shown and shown["connected"])

    def standby(self, number):
        self.system.prepare_provisioner("us-west", number)
        daemon = self.system.provisioner("us-west", number)
        daemon.start()
        self.addCleanup(daemon.stop)
        wait_for(lambda: self.is_connected(number), f"us-west-{number} is connected")
        return daemon

    def refused_enrollment(self, reason, number, token, **options):
        result = self.system.try_enroll("us-west", number, token, **options)
        self.assertEqual(result.returncode, REFUSED, result.stderr)
        self.assertIn(reason, result.stderr)
        self.assertNotIn(token.strip(), result.stderr)
        self.assertFalse((self.system.identity("us-west", number) / "current").exists())


class EnrollmentTest(EnrollmentCase):
    def test_the_private_key_is_the_owners_alone_and_no_other_file_holds_it(self):
        identity = self.system.identity("us-west")
        key = identity / "current/tls.key"
        self.assertEqual(stat.S_IMODE(key.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(identity.stat().st_mode), 0o700)
        middle = key.read_text().splitlines()[1].encode()
        for path in self.system.directory.rglob("*"):
            if path.is_file() and path.resolve() != key.resolve():
                self.assertNotIn(middle, path.read_bytes(), path)

    def test_a_token_enrolls_one_provisioner_once(self):
        token = self.token()
        self.assertEqual(self.system.try_enroll("us-west", 20, token).returncode, 0)
        self.refused_enrollment("keyferry regions token", 21, token)
        self.assertFalse(self.shown(20)["connected"])
        self.assertIn("enrolledAt", self.shown(20))
        self.assertIsNone(self.shown(21))

    def test_something_that_is_no_token_is_refused_in_the_same_words_as_a_used_one(self):
        for token in ("ke_0123456789_012345678901234567890123456789012345", "hello", "kf_" + self.token()[3:]):
            self.refused_enrollment("keyferry regions token", 22, token)

    def test_a_provisioner_without_the_regions_key_is_refused_and_the_token_stays_good(self):
        token = self.token()
        keyring = self.system.directory / "stranger/keyring"
        self.system.new_keyring(keyring)
        self.refused_enrollment("SEALING_KEY_MISMATCH", 23, token, keyring=keyring)
        self.assertEqual(self.system.try_enroll("us-west", 23, token).returncode, 0)

    def test_an_id_is_given_once(self):
        token = self.token()
        self.assertEqual(self.system.try_enroll("us-west", 24, token).returncode, 0)
        shutil.rmtree(self.system.identity("us-west", 24))
        self.refused_enrollment("PROVISIONER_EXISTS", 24, self.token())

    def test_a_provisioner_enrolls_by_itself_at_its_first_start_and_goes_on_when_its_token_is_used(self):
        token_file = self.system.directory / "token-25"
        token_file.write_text(self.token())
        for path in (self.system.region_data("us-west", 25), self.system.files("us-west", 25)):
            path.mkdir(mode=0o700, parents=True)
        daemon = self.system.provisioner("us-west", 25)
        daemon.command += ["--edge-api", f"127.0.0.1:{self.system.settings['ports']['edge']}", "--enrollment-token-file", str(token_file)]
        self.addCleanup(daemon.stop)
        for _ in range(2):
            daemon.start()
            wait_for(lambda: self.is_connected(25), "it serves")
            daemon.stop()
        token_file.unlink()
        daemon.start()
        wait_for(lambda: self.is_connected(25), "it serves without the token's file")

    def test_without_identity_and_token_it_says_what_to_do(self):
        daemon = self.system.provisioner("us-west", 26)
        self.system.region_data("us-west", 26).mkdir(mode=0o700)
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(30), 78)
        self.assertIn("holds no identity yet", daemon.log.read_text())

    def test_certificates_of_another_authority_still_serve(self):
        self.system.issue_provisioner_certificate("us-west", 27)
        self.standby(27)
        self.assertFalse(self.system.identity("us-west", 27).exists())
        self.assertNotIn("enrolledAt", self.shown(27))

    def test_the_token_is_alone_on_standard_output_and_a_command_line_never_holds_it(self):
        result = self.operator.run("regions", "token", "us-west")
        self.assertRegex(result.stdout.decode(), r"\Ake_[0-9A-Za-z]{10}_[0-9A-Za-z]{36}\n\Z")
        self.assertIn(b"not shown again", result.stderr)
        command = [BIN / "keyferry-provisioner", "enroll", "--token", "ke_x"]
        probe = Daemon("flags", self.system.logs, command)
        probe.start(wait=False)
        self.assertEqual(probe.process.wait(30), 78, "there is no flag for the token itself")


class StandbyTest(EnrollmentCase):
    def test_a_standby_with_its_own_identity_takes_over(self):
        self.set("before", "KEY=value")
        standby = self.standby(2)
        self.assertNotEqual((self.system.identity("us-west") / "current/tls.pem").read_bytes(),
                            (self.system.identity("us-west", 2) / "current/tls.pem").read_bytes())
        self.provisioner.kill()
        wait_for(lambda: self.shown(2)["active"], "the standby owns the region", 25)
        self.user.ok("secrets", "set", "after", "KEY=value", "--wait")
        self.assertFalse(self.shown(1)["connected"])
        standby.stop()
        self.provisioner.start()


class RevocationTest(EnrollmentCase):
    def assert_cut_off(self, number, since):
        wait_for(lambda: not self.is_connected(number), f"us-west-{number} is cut off", 5)
        self.assertLess(time.monotonic() - since, 5.5)
        self.assertIn("revokedAt", self.shown(number))

    def test_a_revoked_provisioner_is_cut_off_within_five_seconds_and_never_comes_back(self):
        standby = self.standby(3)
        since = time.monotonic()
        self.assertIn("us-west-3", self.operator.ok("regions", "revoke", "us-west", "--provisioner", "us-west-3"))
        self.assert_cut_off(3, since)
        self.assertTrue(self.is_connected(1))
        standby.stop()
        standby.start()
        wait_for(lambda: standby.log.read_text().count("disconnected") >= 3, "it was turned away again and again")
        self.assertFalse(self.is_connected(3))
        self.assertIn("revoked already", self.operator.ok("regions", "revoke", "us-west", "--provisioner", "us-west-3"))
        shutil.rmtree(self.system.identity("us-west", 3))
        self.refused_enrollment("PROVISIONER_EXISTS", 3, self.token())

    def test_revoking_the_region_cuts_off_everybody_and_voids_its_tokens(self):
        self.standby(4)
        token = self.token()
        since = time.monotonic()
        self.operator.ok("regions", "revoke", "us-west")
        for number in (1, 4):
            self.assert_cut_off(number, since)
        self.refused_enrollment("keyferry regions token", 5, token)
        self.standby(6)
        wait_for(lambda: self.shown(6)["active"], "a new one owns the region", 25)
        self.set("after", "KEY=value")

    def test_whom_nobody_knows_is_revoked_too_and_never_enrolls(self):
        self.assertIn("us-west-40", self.operator.ok("regions", "revoke", "us-west", "--provisioner", "us-west-40"))
        self.refused_enrollment("PROVISIONER_EXISTS", 40, self.token())
        self.refused(1, "PROVISIONER_NOT_FOUND", "regions", "revoke", "us-west", "--provisioner", "no/id", user=self.operator_of_acme())
        self.refused(1, "REGION_NOT_FOUND", "regions", "revoke", "nowhere", user=self.operator_of_acme())

    def operator_of_acme(self):
        operator = self.system.operator()
        operator.environment["KEYFERRY_ORG"] = "acme"
        return operator

    def refused(self, exit_code, reason, *arguments, user=None, **options):
        result = user.run(*arguments, **options)
        self.assertEqual(result.returncode, exit_code, result.stderr)
        self.assertIn(reason, result.stderr.decode())


class RenewalTest(EnrollmentCase):
    lifetime = 12
    api_flags = ("--region-certificate-ttl", "12s")

    def test_certificates_are_renewed_under_load_and_the_stream_never_notices(self):
        connected_at = wait_for(lambda: self.is_connected(1) and self.shown(1), "it is connected")["connectedAt"]
        expiries = set()
        writes = 0
        end, look = time.monotonic() + 3.2 * self.lifetime, 0.0
        while time.monotonic() < end:
            self.user.ok("secrets", "set", f"set-{writes % 7}", f"KEY={writes}", "--wait")
            writes += 1
            if time.monotonic() > look:
                expiries.add(self.shown(1)["certificateExpiresAt"])
                look = time.monotonic() + self.lifetime / 8
        log = self.provisioner.log.read_text()
        self.assertGreaterEqual(log.count("certificate_renewed"), 4, log)
        self.assertEqual(log.count('"granted"'), 1, log)
        self.assertNotIn("disconnected", log)
        self.assertNotIn("renewal_failed", log)
        self.assertGreaterEqual(len(expiries), 4)
        self.assertEqual(self.shown(1)["connectedAt"], connected_at)
        self.assertGreater(writes, 30 / PATIENCE)
        self.assertEqual({each["status"] for each in self.sets(self.user.json("secrets", "list"))}, {"ready"})
        versions = sorted(path.name for path in self.system.identity("us-west").iterdir() if path.name != "current")
        self.assertEqual(len(versions), 2, versions)
        self.system.api.stop()
        self.system.api.start()
        wait_for(lambda: self.is_connected(1), "a new connection is made with the certificate of now")
        self.set("after", "KEY=value")

    def test_an_expired_certificate_is_said_to_be_one_and_a_new_identity_helps(self):
        daemon = self.standby(2)
        daemon.hold()
        expires = datetime.datetime.fromisoformat(self.shown(2)["certificateExpiresAt"].replace("Z", "+00:00"))
        wait_for(lambda: datetime.datetime.now(datetime.timezone.utc) > expires + datetime.timedelta(seconds=1), "it expired", 30, 0.2)
        daemon.release()
        wait_for(lambda: "certificate_expired" in daemon.log.read_text(), "it says so")
        wait_for(lambda: not self.is_connected(2), "an expired certificate serves nothing", 45)
        daemon.stop()
        self.standby(3)


class KeyRotationTest(EnrollmentCase):
    def keep_values(self):
        for name in ("kept", "bound"):
            self.set(name, f"KEY={name}")
        self.user.ok("secrets", "image-pull-secret", "pull", "ghcr.io", "user:token", "--wait")
        self.deploy("keeper", "bound", "--credentials", "pull")
        self.set("bound", "KEY=newer")

    def assert_values(self):
        """From the region's store alone, opened again by a process that never opened them before."""
        shutil.rmtree(self.system.files("us-west"))
        self.system.files("us-west").mkdir(mode=0o700)
        self.provisioner.stop()
        self.provisioner.start()
        self.wait_files("kept", {"KEY": b"kept"})
        self.wait_files("bound", {"KEY": b"newer"})
        self.assertEqual(self.environment("keeper"), {"KEY": b"bound"})

    def hang_up(self, daemon, reloaded):
        os.kill(daemon.pid, 1)
        wait_for(lambda: daemon.log.read_text().count("keyring_reloaded") == reloaded, "the keyring was read again")

    def test_a_region_key_is_rotated_without_losing_a_value_and_the_old_one_can_go(self):
        self.keep_values()
        standby = self.standby(2)
        before = self.region()["sealingKeyId"]
        self.system.provisioner_command("rotate-key", self.system.keyring("us-west"))
        self.hang_up(standby, 1)
        self.assertEqual(self.region()["sealingKeyId"], before, "a standby announces nothing")
        self.hang_up(self.provisioner, 1)
        wait_for(lambda: self.region()["sealingKeyId"] != before, "the owner announced the new key")
        self.set("sealed-to-the-new-key", "KEY=value")
        wait_for(lambda: self.region()["previousSealingKeyCount"] == 0, "nothing is sealed to the old key any more", 60)
        wait_for(lambda: self.region()["pendingCount"] == 0, "the region holds it")
        wait_for(lambda: {each["status"] for each in self.sets(self.user.json("secrets", "list"))} == {"ready"}, "all is ready")
        self.assert_values()
        self.system.provisioner_command("retire-keys", self.system.keyring("us-west"))
        self.hang_up(self.provisioner, self.provisioner.log.read_text().count("keyring_reloaded") + 1)
        self.assertNotIn(b" previous ", self.system.keyring("us-west").read_bytes())
        self.assert_values()
        self.assertNotIn("CANNOT_OPEN", self.provisioner.log.read_text() + standby.log.read_text())

    def test_a_standby_that_starts_with_a_key_that_nobody_announced_waits_under_the_one_before(self):
        self.set("before", "KEY=value")
        known = self.region()["sealingKeyId"]
        self.system.provisioner_command("rotate-key", self.system.keyring("us-west"))
        self.standby(3)
        self.assertEqual(self.region()["sealingKeyId"], known)
        self.hang_up(self.provisioner, self.provisioner.log.read_text().count("keyring_reloaded") + 1)
        wait_for(lambda: self.region()["sealingKeyId"] != known, "the owner announced it")
        wait_for(lambda: self.region()["previousSealingKeyCount"] == 0, "nothing is sealed to the old key any more", 60)


class LostKeyTest(EnrollmentCase):
    """The region's keyring and store are gone; its identity is not."""
    regions = ("us-west", "us-blind")
    blind = ("us-blind",)

    def lose_everything(self, region):
        daemon = self.system.provisioners[region]
        daemon.stop()
        self.system.keyring(region).unlink()
        for path in (self.system.region_data(region), self.system.files(region)):
            shutil.rmtree(path)
            path.mkdir(mode=0o700)
        self.system.new_keyring(self.system.keyring(region))
        ordinary = self.system.try_enroll(region, 8, self.operator.ok("regions", "token", region))
        self.assertIn("SEALING_KEY_MISMATCH", ordinary.stderr)
        enrolled = self.system.try_enroll(region, 9, self.operator.ok("regions", "token", region, "--replace-sealing-key"))
        self.assertEqual(enrolled.returncode, 0, enrolled.stderr)
        daemon.start()
        wait_for(lambda: any(each["active"] for each in self.region(region)["provisioners"]), "the region is served again", 25)

    def test_a_region_that_lost_its_key_gets_its_values_back_from_the_escrow(self):
        self.set("escrowed", "KEY=value")
        self.deploy("escrowed-agent", "escrowed")
        self.lose_everything("us-west")
        self.wait_files("escrowed", {"KEY": b"value"}, "us-west")
        self.user.ok("secrets", "wait", "escrowed", "--timeout", "60s")
        wait_for(lambda: self.user.json("agents", "show", "escrowed-agent")["status"] == "ready", "the deployment is back")
        self.assertEqual(self.environment("escrowed-agent"), {"KEY": b"value"})

    def test_a_blind_region_that_lost_its_key_has_lost_its_values_until_they_are_written_again(self):
        self.user.ok("secrets", "set", "unknown", "KEY=value", "--region", "us-blind", "--wait")
        self.lose_everything("us-blind")
        result = self.user.run("secrets", "wait", "unknown", "--timeout", "5s")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(self.files("unknown", "us-blind"), {})
        self.user.ok("secrets", "set", "unknown", "KEY=again", "--replace-all", "--wait")
        self.assertEqual(self.files("unknown", "us-blind"), {"KEY": b"again"})


if __name__ == "__main__":
    unittest.main()
