"""What goes on while something is away, and what comes back."""

import shutil
import unittest

from case import SystemTest
from harness import wait_for


class OutageTest(SystemTest):
    regions = ("us-west",)

    def tearDown(self):
        super().tearDown()
        self.system.start()
        wait_for(lambda: self.user.run("whoami").returncode == 0, "the API answers again")

    @property
    def provisioner(self):
        return self.system.provisioners["us-west"]

    def test_environments_are_served_while_the_api_is_away_also_after_restarts_of_the_provisioner(self):
        self.set("survives", "KEY=value")
        self.deploy("survivor", "survives")
        self.system.api.kill()
        self.assertEqual(self.environment("survivor"), {"KEY": b"value"})
        for end in (self.provisioner.stop, self.provisioner.kill):
            end()
            self.provisioner.start()
            self.assertEqual(self.environment("survivor"), {"KEY": b"value"})
            self.wait_files("survives", {"KEY": b"value"})

    def test_files_come_back_from_the_regions_store_when_the_ram_disk_was_lost_and_the_api_is_away(self):
        self.set("rebuilt", "KEY=value")
        self.system.api.kill()
        self.provisioner.kill()
        shutil.rmtree(self.system.files("us-west"))
        self.system.files("us-west").mkdir(mode=0o700)
        self.provisioner.start()
        self.wait_files("rebuilt", {"KEY": b"value"})

    def test_everything_is_there_after_a_restart_of_the_api(self):
        self.set("kept", "KEY=value")
        self.deploy("keeper", "kept")
        before = self.snapshot()
        self.assertTrue(self.system.api.stop(), "the API drains and ends on SIGTERM while a provisioner is connected")
        self.assertNotEqual(self.user.run("secrets", "list").returncode, 0)
        self.system.api.start()
        wait_for(lambda: self.user.run("whoami").returncode == 0, "the API answers")
        self.assertEqual(self.snapshot(), before)
        self.assertEqual(self.show("kept")["status"], "ready")
        self.set("kept", "KEY=newer")
        self.wait_files("kept", {"KEY": b"newer"})

    def test_what_is_written_while_the_region_is_away_arrives_when_it_is_back(self):
        self.set("updated", "KEY=old", "GONE=1")
        self.set("deleted", "KEY=old")
        self.provisioner.stop()
        self.user.ok("secrets", "set", "updated", "KEY=new")
        self.user.ok("secrets", "unset", "updated", "GONE")
        self.user.ok("secrets", "delete", "deleted")
        self.user.ok("secrets", "set", "created", "KEY=new")
        result = self.user.run("secrets", "wait", "created", "--timeout", "1s")
        self.assertEqual(result.returncode, 3)
        self.refused(3, "SECRET_SET_PENDING", "deploy", "agent", "image:1", "--secrets", "created")
        self.provisioner.start()
        for name in ("updated", "created"):
            self.user.ok("secrets", "wait", name)
            self.wait_files(name, {"KEY": b"new"})
        self.wait_files("deleted", {})

    def test_a_region_that_lost_its_store_gets_everything_again(self):
        self.set("refetched", "KEY=value")
        self.deploy("refetcher", "refetched")
        self.provisioner.stop()
        for path in (self.system.region_data("us-west"), self.system.files("us-west")):
            shutil.rmtree(path)
            path.mkdir(mode=0o700)
        self.provisioner.start()
        self.wait_files("refetched", {"KEY": b"value"})
        self.user.ok("secrets", "wait", "refetched")
        wait_for(lambda: self.user.json("agents", "show", "refetcher")["status"] == "ready", "the deployment is ready again")
        self.assertEqual(self.environment("refetcher"), {"KEY": b"value"})


class StandbyTest(SystemTest):
    regions = ("us-west",)

    def test_a_standby_takes_over_when_the_owner_dies_and_serves_exactly_what_was_written(self):
        self.set("before", "KEY=value")
        self.system.prepare_provisioner("us-west", 2)
        standby = self.system.provisioner("us-west", 2)
        standby.start()
        self.addCleanup(standby.stop)
        operator = self.system.operator()

        def provisioners():
            shown = operator.json("regions", "show", "us-west")["provisioners"]
            return {each["id"]: each["active"] for each in shown if each["connected"]}
        wait_for(lambda: provisioners() == {"us-west-1": True, "us-west-2": False}, "the second one is a standby")
        self.system.provisioners["us-west"].kill()
        wait_for(lambda: provisioners().get("us-west-2"), "the standby owns the region", 25)
        self.user.ok("secrets", "set", "after", "KEY=value", "--wait")
        files = self.system.files("us-west", 2) / "sets/acme"
        wait_for(lambda: (files / "before/KEY").exists(), "the new owner holds the old sets too")
        self.assertEqual((files / "after/KEY").read_bytes(), b"value")
        self.system.provisioners["us-west"].start()
        wait_for(lambda: provisioners().get("us-west-1") is False, "the first one is the standby now")
        self.user.ok("secrets", "set", "after", "KEY=newer", "--wait")
        self.assertEqual((files / "after/KEY").read_bytes(), b"newer")


if __name__ == "__main__":
    unittest.main()
