"""Two regions never mix: files, environments, provisioners, keys."""

import shutil
import unittest

from case import SystemTest
from harness import SystemFailure, wait_for


class RegionsTest(SystemTest):
    def test_a_set_is_in_its_region_and_nowhere_else(self):
        self.set("of-the-west", "KEY=west")
        self.set("of-the-east", "KEY=east", "--region", "us-east")
        self.assertEqual(self.files("of-the-west", "us-west"), {"KEY": b"west"})
        self.assertEqual(self.files("of-the-east", "us-east"), {"KEY": b"east"})
        self.assertEqual(self.files("of-the-west", "us-east"), {})
        self.assertEqual(self.files("of-the-east", "us-west"), {})

    def test_an_agent_is_served_in_its_region_and_nowhere_else(self):
        self.set("bound-in-east", "KEY=east", "--region", "us-east")
        self.deploy("eastern", "bound-in-east")
        self.assertEqual(self.environment("eastern", region="us-east"), {"KEY": b"east"})
        elsewhere = self.system.user(region="us-west").run("run", "--agent", "eastern", "--", "/bin/true")
        self.assertIn(b"DEPLOYMENT_NOT_FOUND", elsewhere.stderr)

    def test_the_deployments_region_is_that_of_its_sets(self):
        self.set("decides", "KEY=east", "--region", "us-east")
        self.deploy("follows", "decides")
        self.assertEqual(self.user.json("agents", "show", "follows")["region"], "us-east")

    def test_the_default_region_is_us_west_until_the_organization_says_otherwise(self):
        key = self.system.new_organization("movers")
        user = self.system.user(key, "movers")
        self.assertEqual(self.set("first", "KEY=x", user=user)["region"], "us-west")
        user.ok("orgs", "properties", "set", "--default-region", "us-east")
        self.assertEqual(self.set("second", "KEY=x", user=user)["region"], "us-east")
        self.assertEqual(self.set("first", "KEY=y", user=user)["region"], "us-west")

    def test_lists_can_be_narrowed_to_a_region(self):
        self.set("west-list", "KEY=x")
        self.set("east-list", "KEY=x", "--region", "us-east")
        names = [each["name"] for each in self.sets(self.user.json("secrets", "list", "--region", "us-east"))]
        self.assertIn("east-list", names)
        self.assertNotIn("west-list", names)

    def test_a_name_that_is_free_again_can_be_used_in_another_region(self):
        self.set("moves", "KEY=west")
        self.user.ok("secrets", "delete", "moves")
        self.set("moves", "KEY=east", "--region", "us-east")
        self.wait_files("moves", {}, "us-west")
        self.assertEqual(self.files("moves", "us-east"), {"KEY": b"east"})

    def test_a_region_that_is_held_back_does_not_hold_back_the_other(self):
        self.system.provisioners["us-east"].hold()
        try:
            self.set("goes-on", "KEY=west")
            self.user.ok("secrets", "set", "waits", "KEY=east", "--region", "us-east")
            self.refused(3, "SECRET_SET_PENDING", "deploy", "agent", "image:1", "--secrets", "waits")
        finally:
            self.system.provisioners["us-east"].release()
        self.user.ok("secrets", "wait", "waits")

    def test_a_provisioner_with_another_regions_certificate_is_turned_away(self):
        """The certificate, never what it says, decides the region: us-east's is used to ask for us-west."""
        self.set("not-for-east", "KEY=west")
        certificates = self.system.certificates
        for suffix in ("pem", "key"):
            shutil.copy(self.system.identity("us-east") / f"current/tls.{suffix}", certificates / f"us-west-9.{suffix}")
        self.system.prepare_provisioner("us-west", 9)
        impostor = self.system.provisioner("us-west", 9)
        impostor.start()
        wait_for(lambda: "PERMISSION_DENIED" in impostor.log.read_text(), "the impostor is turned away")
        self.assertEqual(list(self.system.files("us-west", 9).rglob("KEY")), [])
        impostor.kill()


class PerRegionKeysTest(SystemTest):
    def test_a_region_with_anothers_sealing_key_never_becomes_ready(self):
        """A provisioner whose keyring is not the one that the operator registered opens nothing and claims nothing."""
        east = self.system.provisioners["us-east"]
        east.stop()
        shutil.copy(self.system.directory / "us-west/keyring", self.system.directory / "us-east/keyring")
        try:
            east.start()
        except SystemFailure:
            pass
        self.user.ok("secrets", "set", "sealed-to-east", "KEY=east", "--region", "us-east")
        result = self.user.run("secrets", "wait", "sealed-to-east", "--timeout", "2s")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(self.files("sealed-to-east", "us-east"), {})
        east.kill()


if __name__ == "__main__":
    unittest.main()
