"""What the guide promises and no other test holds already; docs/guide-coverage.md has the whole list."""

import base64
import os
import pty
import subprocess
import time
import unittest

from case import SystemTest
from harness import BIN, wait_for


class GuideTest(SystemTest):
    # Creating a secret set and adding secrets.

    def test_set_creates_the_set_and_then_adds_and_updates(self):
        self.set("my-secrets", "SECRET_NAME", "secret-value", "SECRET_NAME_2", "secret-value-2")
        self.assertEqual(self.show("my-secrets")["keys"], ["SECRET_NAME", "SECRET_NAME_2"])
        self.set("my-secrets", "SECRET_NAME_3", "secret-value-3")
        self.set("my-secrets", "SECRET_NAME", "another-value")
        self.assertEqual(self.files("my-secrets"), {"SECRET_NAME": b"another-value", "SECRET_NAME_2": b"secret-value-2",
                                                    "SECRET_NAME_3": b"secret-value-3"})

    def test_a_set_is_shared_by_the_deployments_and_users_of_its_organization(self):
        self.set("shared", "KEY=value")
        colleague = self.system.user(self.system.new_key("acme", "member"))
        self.deploy("one", "shared")
        self.deploy("two", "shared", user=colleague)
        self.assertEqual(self.environment("one"), {"KEY": b"value"})
        self.assertEqual(self.environment("two"), {"KEY": b"value"})

    def test_a_deployment_that_names_no_set_gets_none(self):
        self.set("unused", "KEY=value")
        self.user.ok("deploy", "bare", "image:1", "--wait")
        self.assertEqual(self.environment("bare"), {})

    def test_names_are_unique_in_an_organization_and_free_in_another(self):
        self.set("taken", "KEY=value")
        self.refused(1, "REGION_MISMATCH", "secrets", "set", "taken", "KEY=value", "--region", "us-east")
        key = self.system.new_organization("neighbours")
        self.assertEqual(self.set("taken", "KEY=other", "--region", "us-east", user=self.system.user(key, "neighbours"))["region"],
                         "us-east")

    # Provisioning and readiness.

    def test_provisioning_takes_a_few_seconds_at_most(self):
        start = time.monotonic()
        self.set("quick", "KEY=value")
        self.assertLess(time.monotonic() - start, 5)

    def test_list_and_show_include_the_status(self):
        self.set("with-status", "KEY=value")
        self.assertEqual(self.show("with-status")["status"], "ready")
        listed = {each["name"]: each["status"] for each in self.sets(self.user.json("secrets", "list"))}
        self.assertEqual(listed["with-status"], "ready")

    def test_a_pipeline_polls_the_status_and_then_deploys(self):
        self.user.ok("secrets", "set", "pipeline", "KEY=value")
        wait_for(lambda: self.show("pipeline")["status"] == "ready", "the set is ready", 10)
        self.user.ok("deploy", "pipeline", "image:1", "--secrets", "pipeline")

    def test_an_update_that_binds_a_pending_set_is_refused_too(self):
        self.set("gated", "KEY=value")
        self.deploy("gated", "gated")
        self.system.provisioners["us-west"].hold()
        try:
            self.user.ok("secrets", "set", "gated", "KEY=newer")
            self.assertEqual(self.show("gated")["status"], "pending")
            self.refused(3, "SECRET_SET_PENDING", "deploy", "gated", "image:2", "--secrets", "gated")
        finally:
            self.system.provisioners["us-west"].release()

    # Listing and removing.

    def test_list_shows_names_and_keys_and_never_values(self):
        self.set("listed", "LISTED_KEY=never-displayed")
        everything = self.user.ok("secrets", "list") + self.user.ok("secrets", "list", "listed")
        for form in ("json", "yaml"):
            everything += self.user.ok("-o", form, "secrets", "list", "listed") + self.user.ok("-o", form, "secrets", "list")
        self.assertIn("LISTED_KEY", everything)
        self.assertNotIn("never-displayed", everything)

    def test_unset_removes_one_key_and_delete_the_set(self):
        self.set("shrinks", "KEEP=1", "GOES=2")
        self.user.ok("secrets", "unset", "shrinks", "GOES")
        self.wait_files("shrinks", {"KEEP": b"1"})
        self.user.ok("secrets", "delete", "shrinks")
        self.assertNotIn("shrinks", self.names())
        self.wait_files("shrinks", {})

    def test_a_deleted_set_leaves_the_deployment_its_values(self):
        self.set("forced", "KEY=value")
        self.deploy("forced", "forced")
        self.refused(4, "SECRET_SET_IN_USE", "secrets", "delete", "forced")
        self.user.ok("secrets", "delete", "forced", "--force")
        self.wait_files("forced", {})
        self.assertEqual(self.environment("forced"), {"KEY": b"value"})

    # Image pull secrets.

    def test_image_pull_secret_prompts_for_credentials_without_echo(self):
        terminal, slave = pty.openpty()
        process = subprocess.Popen([BIN / "keyferry", "secrets", "image-pull-secret", "prompted", "registry.example"], stdin=slave,
                                   stdout=slave, stderr=slave, env=self.user.environment, start_new_session=True)
        shown = b""
        for question, answer in ((b"Username", b"robot\n"), (b"Token", b"typed-token\n")):
            while question not in shown:
                shown += os.read(terminal, 4096)
            os.write(terminal, answer)
        self.assertEqual(process.wait(20), 0)
        os.close(slave)
        try:
            while more := os.read(terminal, 4096):
                shown += more
        except OSError:
            pass
        os.close(terminal)
        self.assertNotIn(b"typed-token", shown)
        self.user.ok("secrets", "wait", "prompted")
        auth = base64.b64encode(b"robot:typed-token").decode()
        self.assertEqual(self.pull_secret_file("prompted"), {"auths": {"registry.example/": {"auth": auth}}})

    def test_image_pull_secret_again_replaces_the_credentials(self):
        for token in ("first", "second"):
            self.user.ok("secrets", "image-pull-secret", "renewed", "registry.example", f"robot:{token}", "--wait")
        auth = base64.b64encode(b"robot:second").decode()
        self.assertEqual(self.pull_secret_file("renewed")["auths"]["registry.example/"]["auth"], auth)
        self.assertEqual(self.show("renewed")["generation"], 2)

    def test_image_pull_secret_in_a_region_serves_agents_of_that_region_alone(self):
        self.user.ok("secrets", "image-pull-secret", "eastern", "registry.example", "robot:token", "--region", "us-east", "--wait")
        self.refused(1, "REGION_MISMATCH", "deploy", "agent", "image:1", "--credentials", "eastern", "--region", "us-west")
        self.user.ok("deploy", "agent-east", "image:1", "--credentials", "eastern")

    # Accessing secrets in your agent code.

    def deploy_by_file(self, text, *arguments):
        (self.directory / "pcc-deploy.toml").write_text(text)
        return self.user.ok("deploy", *arguments, "--wait", directory=self.directory)

    def test_the_agent_reads_its_environment(self):
        self.set("read", "MY_SECRET=value")
        self.deploy("reader", "read")
        output = self.user.ok("run", "--agent", "reader", "--", "python3", "-c", "import os; print(os.environ.get('MY_SECRET'))")
        self.assertEqual(output, "value\n")

    def test_deploy_takes_the_set_from_its_flag_or_from_the_file(self):
        self.set("by-flag", "KEY=flag")
        self.set("by-file", "KEY=file")
        file = 'agent_name = "filed"\nimage = "registry.example/filed:0.1"\nsecret_set = "by-file"\n'
        self.deploy_by_file(file)
        self.assertEqual(self.environment("filed"), {"KEY": b"file"})
        self.deploy_by_file(file, "--secrets", "by-flag")
        self.assertEqual(self.environment("filed"), {"KEY": b"flag"})

    def test_deploy_takes_the_image_credentials_from_the_file(self):
        self.user.ok("secrets", "image-pull-secret", "filed-pull", "registry.example", "robot:token", "--wait")
        self.deploy_by_file('agent_name = "pulls"\nimage = "registry.example/pulls:0.1"\nimage_credentials = "filed-pull"\n')
        self.assertEqual(self.user.json("agents", "show", "pulls")["imagePullSecret"], {"name": "filed-pull", "generation": 1})


if __name__ == "__main__":
    unittest.main()
