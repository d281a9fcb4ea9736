"""A set that its region cannot take: `failed` after two minutes of a connected region trying, refused by the gate, mended by its owner.
Slow, for the deadline is real; it costs no processor time."""

import unittest

import rest
from case import SystemTest
from harness import wait_for
from rest import Rest


class FailedTest(SystemTest):
    regions = ("us-west",)

    def test_a_set_whose_files_cannot_be_written_fails_and_is_mended_by_writing_it_again(self):
        self.set("other", "KEY=value")
        obstacle = self.system.files("us-west") / "sets/acme/blocked"
        (obstacle / "not-ours").mkdir(parents=True)
        self.user.ok("secrets", "set", "blocked", "KEY=value")
        wait_for(lambda: self.show("blocked")["status"] == "failed", "the set has failed", 280, 0.5)
        found = self.show("blocked")
        self.assertTrue(found["errorMessage"])
        self.assertEqual(found["readyGeneration"], 0)
        error = self.refused(3, "SECRET_SET_FAILED", "deploy", "agent", "image:1", "--secrets", "blocked")
        self.assertNotIn("retry after", error)
        self.assertEqual(self.user.run("secrets", "wait", "blocked").returncode, 3)
        self.check_over_rest(found["errorMessage"])
        self.set("other", "KEY=the others go on")
        (obstacle / "not-ours").rmdir()
        obstacle.rmdir()
        self.set("blocked", "KEY=value")
        self.deploy("agent", "blocked")
        self.assertEqual(self.environment("agent"), {"KEY": b"value"})

    def check_over_rest(self, message):
        client = Rest(self.system.plain_gateway_url, self.system.settings["api_key"])
        self.addCleanup(client.close)
        shown = client.send("GET", "/v1/secrets/blocked?wait=ready").json
        self.assertEqual((shown["status"], shown["errorMessage"], shown["readyGeneration"]), ("failed", message, 0))
        with client.events("/v1/secrets/blocked/events") as stream:
            self.assertEqual(stream.next().data["errorMessage"], message)
        refused = client.send("POST", "/v1/agents", {"serviceName": "agent", "image": "image:1", "secretSet": "blocked"})
        self.assertEqual((refused.status, refused.header("Retry-After"), rest.problems_of_error(refused)), (409, None, []), refused)
        self.assertEqual((refused.json["code"], refused.json["reason"]), ("CONFLICT", "SECRET_SET_FAILED"))
        for words in ("blocked", "us-west", "write it again", "support"):
            self.assertIn(words, refused.json["error"])


if __name__ == "__main__":
    unittest.main()
