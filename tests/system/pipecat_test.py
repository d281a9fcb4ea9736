"""The published `pipecatcloud` command line and SDK against the real gateway, with PIPECAT_API_HOST, PIPECAT_TOKEN and PIPECAT_ORG set and
nothing else. docs/rest-compatibility.md is the table of what this shows."""

import unittest

from case import SystemTest
from pipecat_client import PipecatClient

VERSIONS = ("0.6.0", "1.4.0")
VALUE = "value-kept-out"


class PipecatTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.clients = []
        for version in VERSIONS:
            organization = "of-" + version.replace(".", "-")
            key = cls.system.new_organization(organization)
            client = PipecatClient(version, cls.system.plain_gateway_url, key, organization, cls.directory / f"home-{version}")
            client.user = cls.system.user(key, organization)
            cls.clients.append(client)

    def ok(self, client, *arguments, says=(), **environment):
        screen = client.run(*arguments, **environment)
        self.assertEqual(screen.exit_code, 0, screen)
        self.assertNotIn("Error", screen.text)
        self.assert_says(screen, *says)
        return screen

    def not_ok(self, client, *arguments, says=(), **environment):
        """0.6.0 exits with 0 whatever happened: there only the screen tells."""
        screen = client.run(*arguments, **environment)
        self.assertEqual(screen.exit_code != 0, client.version != "0.6.0", screen)
        self.assert_says(screen, *says)
        return screen

    def assert_says(self, screen, *words):
        self.assertNotIn("Traceback", screen.text)
        for word in words:
            self.assertIn(word, screen.text)

    def write(self, client, name, *pairs):
        client.user.ok("secrets", "set", name, *pairs, "--wait=30s")

    # Organizations and regions.

    def test_organizations_and_regions(self):
        for client in self.clients:
            with self.subTest(client.version):
                organization = client.environment["PIPECAT_ORG"]
                self.ok(client, "organizations", "list", says=[organization])
                self.ok(client, "regions", "list", says=["us-west", "us-east"])

    def test_without_an_organization_the_keys_own_is_found(self):
        client = self.clients[1]
        environment = {name: value for name, value in client.environment.items() if name != "PIPECAT_ORG"}
        client_of_none = PipecatClient.__new__(PipecatClient)
        client_of_none.__dict__.update({**client.__dict__, "environment": environment})
        self.write(client, "own-set", f"KEY={VALUE}")
        self.ok(client_of_none, "secrets", "list", "own-set", says=["KEY"])

    def test_the_default_region_is_read_and_written(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.ok(client, "organizations", "default-region", says=["Default region: us-west", "us-east"])
                self.ok(client, "organizations", "default-region", "us-east", says=["us-east"])
                self.ok(client, "organizations", "properties", "list", says=["defaultRegion", "us-east"])
                self.ok(client, "organizations", "properties", "schema", says=["defaultRegion", "string", "us-east", "us-west"])
                self.not_ok(client, "organizations", "default-region", "mars", says=["us-east", "us-west"])
                self.not_ok(client, "organizations", "properties", "set", "defaultRegoin", "us-west", says=["defaultRegoin"])
                self.ok(client, "organizations", "properties", "set", "defaultRegion", "us-west", says=["us-west"])

    def test_keys_are_made_listed_and_revoked(self):
        for client in self.clients:
            with self.subTest(client.version):
                made = self.ok(client, "organizations", "keys", "create", "--name", "for-ci", "--default", says=["for-ci", "kf_"])
                key = next(word for word in made.text.split() if word.startswith("kf_"))
                self.assertEqual(self.system.user(key, client.environment["PIPECAT_ORG"]).run("secrets", "list").returncode, 0)
                listed = self.ok(client, "organizations", "keys", "list", says=["for-ci", "Active"])
                self.assertNotIn(key.split("_")[2], listed.text)
                sent = client.answer("organizations", "keys", "revoke", prompt="Select API key to revoke", keys=b"\r")
                self.assert_says(sent, "revoked successfully")

    # Sets.

    def test_a_set_is_written_shown_and_deleted(self):
        for client in self.clients:
            with self.subTest(client.version):
                file = self.directory / "some.env"
                file.write_text(f'# of a file\nFILE_KEY="{VALUE} with spaces"\nOTHER={VALUE}\n')
                self.ok(client, "secrets", "set", "demo", f"FIRST={VALUE}", f"SECOND={VALUE}=2", "-s",
                        says=["created successfully", "us-west"])
                self.ok(client, "secrets", "set", "demo", "--file", str(file), "-s", says=["modified successfully"])
                client.user.ok("secrets", "wait", "demo")
                organization = client.environment["PIPECAT_ORG"]
                self.assertEqual(self.files("demo", organization=organization),
                                 {"FIRST": VALUE.encode(), "SECOND": f"{VALUE}=2".encode(),
                                  "FILE_KEY": f"{VALUE} with spaces".encode(),
                                  "OTHER": VALUE.encode()})
                self.ok(client, "secrets", "list", says=["demo", "us-west"])
                shown = self.ok(client, "secrets", "list", "demo", says=["FIRST", "SECOND", "FILE_KEY", "OTHER"])
                self.assertNotIn(VALUE, shown.text)
                if client.version != "0.6.0":
                    self.assert_says(shown, "ready")
                self.ok(client, "secrets", "unset", "demo", "FIRST", "-s", says=["deleted successfully"])
                self.assertNotIn("FIRST", self.ok(client, "secrets", "list", "demo").text)
                self.not_ok(client, "secrets", "unset", "demo", "FIRST", "-s", says=["not found"])
                self.ok(client, "secrets", "delete", "demo", "-s", says=["deleted successfully"])
                self.not_ok(client, "secrets", "delete", "demo", "-s", says=["No set found"])
                self.not_ok(client, "secrets", "list", "demo", says=["No secrets sets"])

    def test_a_set_is_written_into_a_region_and_stays_there(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.ok(client, "secrets", "set", "eastern", f"KEY={VALUE}", "-s", "--region", "us-east", says=["us-east"])
                self.ok(client, "secrets", "list", "--region", "us-east", says=["eastern"])
                self.not_ok(client, "secrets", "set", "eastern", "KEY=other", "-s", "--region", "us-west",
                            says=["us-west", "us-east", "cannot move"])
                self.not_ok(client, "secrets", "set", "nowhere", "KEY=other", "-s", "--region", "mars",
                            says=["Valid regions are", "us-east", "us-west"])

    def test_a_pull_secret_is_created_and_updated(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.ok(client, "secrets", "image-pull-secret", "puller", "https://registry.example", "robot:first",
                        says=["created successfully"])
                self.ok(client, "secrets", "image-pull-secret", "puller", "https://registry.example", "robot:second", "-s",
                        says=["updated successfully"])
                self.ok(client, "secrets", "list", says=["puller"])
                self.not_ok(client, "secrets", "list", "puller", says=["image pull secret"])
                client.user.ok("secrets", "wait", "puller")
                organization = client.environment["PIPECAT_ORG"]
                self.assertIn(b"cm9ib3Q6c2Vjb25k", self.files("puller", organization=organization)[".dockerconfigjson"])

    def test_what_the_api_refuses_is_on_the_screen(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.not_ok(client, "secrets", "set", "ab", "KEY=value", "-s", says=["3 to 63"])
                self.not_ok(client, "secrets", "list", says=["API key is not valid"], PIPECAT_TOKEN="kf_nonsense")
                self.not_ok(client, "secrets", "list", says=["No secret", "strangers"], PIPECAT_ORG="strangers")
                viewer = self.system.new_key(client.environment["PIPECAT_ORG"], "viewer")
                self.not_ok(client, "secrets", "set", "viewed", "KEY=value", "-s", says=["viewer"], PIPECAT_TOKEN=viewer)

    # Agents.

    def test_an_agent_is_deployed_shown_and_deleted(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.write(client, "bound", f"KEY={VALUE}")
                client.user.ok("secrets", "image-pull-secret", "pulled", "registry.example", "robot:token", "--wait=30s")
                deploy = ("deploy", "talker", "image:1", "--secrets", "bound", "--credentials", "pulled", "--yes")
                self.ok(client, *deploy, "--min-agents", "1", "--max-agents", "7", says=["talker", "is ready"])
                self.assertEqual(self.environment("talker", user=self.system.user(client.environment["PIPECAT_TOKEN"],
                                                                                  client.environment["PIPECAT_ORG"])),
                                 {"KEY": VALUE.encode()})
                self.ok(client, "agent", "list", says=["talker", "us-west"])
                self.ok(client, "agent", "status", "talker", says=["image:1", "Ready", "7"])
                self.ok(client, *deploy[:2], "image:2", *deploy[3:], "--max-agents", "7", says=["is ready"])
                self.ok(client, "agent", "status", "talker", says=["image:2"])
                self.not_ok(client, "secrets", "delete", "bound", "-s", says=["bound", "talker"])
                self.ok(client, "agent", "delete", "talker", "--force", says=["deleted successfully"])
                self.not_ok(client, "agent", "delete", "talker", "--force", says=["not found"])
                self.not_ok(client, "agent", "status", "talker", says=["No deployment data found"])
                self.ok(client, "secrets", "delete", "bound", "-s", says=["deleted successfully"])

    def test_an_agent_that_another_client_made_is_shown(self):
        for client in self.clients:
            with self.subTest(client.version):
                client.user.ok("deploy", "plain", "image:1", "--wait=30s")
                self.ok(client, "agent", "list", says=["plain", "us-west"])
                self.ok(client, "agent", "status", "plain", says=["image:1", "Ready"])
                self.ok(client, "deploy", "plain", "image:2", "--no-credentials", "--yes", says=["is ready"])

    def test_deploying_the_same_again_warns_and_force_does_not(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.write(client, "same", f"KEY={VALUE}")
                deploy = ("deploy", "same", "image:1", "--secrets", "same", "--no-credentials")
                self.ok(client, *deploy, "--yes", says=["is ready"])
                self.ok(client, *deploy, "--yes", says=["Warning", "is ready"])
                self.assertNotIn("Warning", self.ok(client, *deploy, "--force", says=["is ready"]).text)

    def test_a_deploy_before_its_region_has_the_set_is_refused_with_our_message(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.system.provisioners["us-west"].hold()
                try:
                    self.ok(client, "secrets", "set", "early", f"KEY={VALUE}", "-s", says=["created successfully"])
                    if client.version != "0.6.0":
                        self.ok(client, "secrets", "list", "early", says=["pending"])
                    self.not_ok(client, "deploy", "early", "image:1", "--secrets", "early", "--no-credentials", "--yes",
                                says=["CONFLICT", '"early"', "still being provisioned into region us-west", "try again"])
                finally:
                    self.system.provisioners["us-west"].release()
                client.user.ok("secrets", "wait", "early")
                self.ok(client, "deploy", "early", "image:1", "--secrets", "early", "--no-credentials", "--yes",
                        says=["is ready"])

    def test_deploys_that_cannot_be_are_refused_with_our_message(self):
        for client in self.clients:
            with self.subTest(client.version):
                client.user.ok("secrets", "set", "far", f"KEY={VALUE}", "--region", "us-east", "--wait=30s")
                self.not_ok(client, "deploy", "astray", "image:1", "--secrets", "far", "--no-credentials", "--yes", "--region",
                            "us-west",
                            says=["us-west", "us-east", "same region"])
                self.not_ok(client, "deploy", "astray", "image:1", "--secrets", "absent", "--no-credentials", "--yes",
                            says=["absent", "not found"])

    def test_what_is_not_served_is_said_and_nothing_breaks(self):
        for client in self.clients:
            with self.subTest(client.version):
                self.not_ok(client, "agent", "logs", "talker", says=["route"])
                self.not_ok(client, "build", "list", says=["route"])
        self.not_ok(self.clients[1], "secrets", "reference", "mine", "--region", "us-west", says=["METHOD_NOT_ALLOWED"])

    # By TLS, and from Python.

    def test_all_of_it_goes_over_tls(self):
        for client in self.clients:
            with self.subTest(client.version):
                secure = PipecatClient(client.version, self.system.gateway_url, client.environment["PIPECAT_TOKEN"],
                                       client.environment["PIPECAT_ORG"],
                                       self.directory / f"home-{client.version}", self.system.ca)
                self.ok(secure, "secrets", "set", "by-tls", f"KEY={VALUE}", "-s", says=["created successfully"])
                client.user.ok("secrets", "wait", "by-tls")
                self.ok(secure, "deploy", "by-tls", "image:1", "--secrets", "by-tls", "--no-credentials", "--yes",
                        says=["is ready"])

    def test_the_same_from_python(self):
        for client in self.clients:
            with self.subTest(client.version):
                organization = client.environment["PIPECAT_ORG"]
                of = {"org": organization}
                pair = {"name": "python", "isImagePullSecret": False, "secretKey": "KEY", "secretValue": VALUE}
                written, listed, one, regions, properties, who = client.sdk(
                    ("secrets_upsert", {"data": pair, "set_name": "python", "region": "us-west", **of}), ("secrets_list", of),
                    ("secrets_list", {"secret_set": "python", **of}), ("regions", of), ("properties", of),
                    ("organizations_current", of))
                self.assertEqual((written["status"], written["region"]), ("OK", "us-west"))
                self.assertIn("python", [each["name"] for each in listed])
                self.assertEqual(one, [{"fieldName": "KEY"}])
                self.assertEqual({each["code"] for each in regions}, {"us-east", "us-west"})
                self.assertEqual(properties["defaultRegion"], "us-west")
                self.assertEqual(who["name"], organization)
                client.user.ok("secrets", "wait", "python")
                config = {"agent_name": "python", "image": "image:1", "secret_set": "python",
                          "scaling": {"min_agents": 0, "max_agents": 3}}
                deployed, refused, found, agents = client.sdk(
                    ("deploy", {"deploy_config": config, **of}), ("deploy", {"deploy_config": {**config, "agent_name": "astray",
                                                                                               "secret_set": "absent"}, **of}),
                    ("agent", {"agent_name": "python", **of}), ("agents", of))
                self.assertEqual(deployed["name"], "python")
                self.assertEqual(refused["refused"]["code"], "NOT_FOUND")
                self.assertEqual((found["name"], found["autoScaling"]["maxReplicas"]), ("python", 3))
                self.assertIn("python", [each["name"] for each in agents])
                made, keys = client.sdk(("api_key_create", {"api_key_name": "python", **of}), ("api_keys", of))
                self.assertIn(made["id"], [each["id"] for each in keys["public"]])
                gone = client.sdk(("api_key_revoke", {"api_key_id": made["id"], **of}),
                                  ("agent_delete", {"agent_name": "python", **of}),
                                  ("secrets_delete", {"set_name": "python", "secret_name": "KEY", **of}),
                                  ("secrets_delete_set", {"set_name": "python", **of}))
                self.assertEqual([each["status"] for each in gone], ["OK"] * 4)

    def test_no_value_is_in_the_gateways_log(self):
        self.assertNotIn(VALUE, self.system.gateway.log.read_text())


if __name__ == "__main__":
    unittest.main()
