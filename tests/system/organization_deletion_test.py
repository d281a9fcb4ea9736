"""Deleting organizations on real binaries: refused at once, gone from regions and from the disk, and gone for good."""

import json
import os
import shutil
import subprocess
import threading
import time
import unittest
from pathlib import Path

from case import SystemTest
from harness import BIN, System, wait_for

# A round a minute, a purge, and what a busy machine adds. The promise is 15 minutes.
SHREDDED_WITHIN = 150


class OrganizationDeletionTest(SystemTest):
    @classmethod
    def new_system(cls):
        cls.backups = cls.directory / "backups"
        return System(cls.directory, cls.regions, cls.log_level, api_flags=("--backup-directory", cls.backups, "--backup-interval", "0"))

    # Doing.

    def new_tenant(self, name, sets=3):
        tenant = self.system.user(key=self.system.new_organization(name), organization=name)
        for number in range(sets):
            tenant.ok("secrets", "set", f"set-{number}", f"KEY=canary-{name}-{number}", "--region", self.regions[number % 2], "--wait=30s")
        self.set("app", f"KEY=canary-{name}", user=tenant)
        self.deploy("agent", "app", user=tenant)
        return tenant

    def delete(self, name, *arguments):
        return self.system.operator().run("orgs", "delete", name, *(arguments or ("--confirm", name)))

    def names_of_organizations(self):
        return [each["name"] for each in self.system.operator().json("orgs", "list")["organizations"]]

    def is_ended(self, name):
        """The deletion's last step was done, by whichever process."""
        log = self.system.api.log.read_text(errors="replace").splitlines()
        return any("organization_deleted" in line and f'"{name}"' in line for line in log)

    def wait_ended(self, name):
        wait_for(lambda: self.is_ended(name), f"the deletion of {name} ends", 60, 0.2)

    def assert_name_is_retired(self, name):
        result = self.system.operator().run("orgs", "create", name)
        self.assertEqual(result.returncode, 4, result.stderr)
        self.assertIn(b"ORGANIZATION_NAME_RETIRED", result.stderr)
        self.assertNotIn(name, self.names_of_organizations())

    def organization_files(self, name, regions=None):
        # A set's directory is a link to the files of its generation.
        return [Path(directory) / file for region in regions or self.regions
                for directory, _, files in os.walk(self.system.files(region) / "sets" / name, followlinks=True) for file in files]

    def audit_records(self, name):
        return self.system.operator().json("admin", "audit", "list", "--organization", name)["records"]

    def system_records(self, method):
        document = self.system.operator().json("admin", "audit", "list")
        return [each for each in document["records"] if each["method"] == method]

    # What is to be shown.

    def test_a_name_that_is_not_confirmed_changes_nothing(self):
        self.system.new_organization("careful")
        for arguments in (("--confirm", "carefull"), ("--confirm", "acme")):
            result = self.delete("careful", *arguments)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(b"CONFIRMATION_MISMATCH", result.stderr)
        # Nobody to ask.
        self.assertEqual(self.system.operator().run("orgs", "delete", "careful").returncode, 2)
        self.assertIn("careful", self.names_of_organizations())
        self.assertEqual(self.user.run("orgs", "delete", "acme", "--confirm", "acme").returncode, 5)

    def test_keys_regions_and_rows_go_and_the_name_is_retired(self):
        tenant = self.new_tenant("leaver")
        self.set("stays", "KEY=of-acme")
        for region in self.regions:
            self.assertTrue(self.organization_files("leaver", [region]))
        self.assertEqual(self.environment("agent", tenant), {"KEY": b"canary-leaver"})
        self.assertEqual(self.delete("leaver").returncode, 0)
        for command in (("secrets", "list"), ("whoami",)):
            result = tenant.run(*command)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(b"UNAUTHENTICATED", result.stderr)
        self.assert_name_is_retired("leaver")

        wait_for(lambda: not self.organization_files("leaver"), "the regions' files are gone", 30)
        def run_agent():
            return tenant.run("run", "--agent", "agent", "--", "/bin/true")
        wait_for(lambda: b"DEPLOYMENT_NOT_FOUND" in run_agent().stderr, "the agent socket refuses the agent", 30, 0.1)
        self.assertNotEqual(run_agent().returncode, 0)
        self.wait_ended("leaver")
        self.assert_name_is_retired("leaver")
        result = self.system.operator().run("keys", "create", "late", "--role", "admin", "--organization", "leaver")
        self.assertIn(b"ORGANIZATION_NOT_FOUND", result.stderr)
        self.assertEqual(self.show("stays")["status"], "ready")
        # What was done stays on record, for operators.
        self.assertTrue(self.audit_records("leaver"))
        deletes = self.system_records("Organizations/DeleteOrganization")
        self.assertTrue([each for each in deletes if "leaver" in json.dumps(each)])

    def test_a_region_that_was_away_drops_it_when_it_comes_back(self):
        tenant = self.new_tenant("absentee")
        away_region = [self.regions[1]]
        away = self.system.provisioners[self.regions[1]]
        away.kill()
        self.assertTrue(self.organization_files("absentee", away_region))
        ended = []
        def wait_for_ready():
            result = tenant.run("secrets", "set", "pending", "KEY=value", "--region", self.regions[1], "--wait=60s")
            ended.append((time.monotonic(), result.returncode))
        waiter = threading.Thread(target=wait_for_ready, daemon=True)
        waiter.start()
        wait_for(lambda: "pending" in self.names(tenant), "the set is there")
        time.sleep(0.5)
        self.assertFalse(ended)
        self.assertEqual(self.delete("absentee").returncode, 0)
        deleted_at = time.monotonic()
        waiter.join(10)
        self.assertTrue(ended, "the call goes on waiting")
        self.assertLess(ended[0][0] - deleted_at, 5)
        self.assertNotEqual(ended[0][1], 0)
        # It holds nothing up.
        self.wait_ended("absentee")
        self.assertTrue(self.organization_files("absentee", away_region), "the region that is away knows nothing of it")
        away.start()
        wait_for(lambda: not self.organization_files("absentee"), "both regions dropped it", 60)
        # Also from its own store, out of which it serves while the API is away.
        away.kill()
        self.assertTrue(self.system.api.stop())
        away.start(wait=False)
        time.sleep(3)
        self.assertEqual(self.organization_files("absentee"), [])
        self.system.api.start()
        away.wait_ready()

    def test_a_kill_in_the_middle_is_followed_by_a_process_that_goes_on(self):
        for attempt in range(8):
            victim = f"victim-{attempt}"
            self.new_tenant(victim, sets=6)
            self.assertEqual(self.delete(victim).returncode, 0)
            self.system.api.kill()
            if not self.is_ended(victim):
                break
            self.system.api.start()
        else:
            self.fail("no kill came before the end")
        self.system.api.start()
        self.assert_name_is_retired(victim)
        self.wait_ended(victim)
        self.assert_name_is_retired(victim)
        wait_for(lambda: not self.organization_files(victim), "the regions dropped it", 60)

    def test_a_restored_backup_does_not_bring_it_back(self):
        self.new_tenant("ghost")
        def backup():
            result = self.system.operator().run("-o", "json", "admin", "backup")
            return json.loads(result.stdout) if result.returncode == 0 else None
        chosen = wait_for(backup, "a backup", 30, 0.2)
        ledger = self.backups / "shred-ledger"
        wait_for(ledger.exists, "the ledger is there", 30)
        records = ledger.read_bytes().count(b"\n")
        self.assertEqual(self.delete("ghost").returncode, 0)
        wait_for(lambda: ledger.read_bytes().count(b"\n") > records, "the ledger has it", 30)
        time.sleep(1)
        self.assertTrue(self.system.api.stop())
        shutil.rmtree(self.system.api_data)
        self.system.api_data.mkdir(mode=0o700)
        result = subprocess.run([BIN / "keyferry", "admin", "restore", "--from", self.backups, "--keyring", self.system.directory / "api/keyring",
                                 "--data-dir", self.system.api_data, "--backup", chosen["name"]],
                                capture_output=True, text=True, errors="replace", timeout=120, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("ghost", result.stdout)
        self.system.api.start()
        self.assert_name_is_retired("ghost")
        wait_for(lambda: not self.organization_files("ghost"), "the regions dropped it", 60)

    def test_its_bytes_are_shredded_and_the_audit_trail_says_so(self):
        self.new_tenant("shredded")
        self.assertEqual(self.delete("shredded").returncode, 0)
        begin = time.monotonic()
        def record():
            return [each for each in self.audit_records("shredded") if each["method"] == "Shredder/Shred"]
        self.assertFalse(record())
        wait_for(record, "the audit trail tells of the shredding", SHREDDED_WITHIN, 1)
        print(json.dumps({"shredded_seconds": round(time.monotonic() - begin, 1)}), flush=True)


if __name__ == "__main__":
    unittest.main()
