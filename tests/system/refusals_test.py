"""Every error of the issue's list: a clear message, the right exit code, and nothing changed."""

import unittest

from case import SystemTest


class RefusalsTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user.ok("secrets", "set", "known", "KEY=value", "--wait")
        cls.user.ok("secrets", "image-pull-secret", "known-pull", "registry.example", "robot:token", "--wait")

    def refused_set(self, reason, *arguments, name="known", exit_code=1):
        return self.refused(exit_code, reason, "secrets", "set", name, *arguments)

    # Names and regions.

    def test_the_same_name_in_another_region(self):
        error = self.refused_set("REGION_MISMATCH", "KEY=other", "--region", "us-east")
        self.assertIn("us-west", error)

    def test_an_image_pull_secret_under_the_name_of_a_set_and_the_reverse(self):
        self.refused(1, "TYPE_IMMUTABLE", "secrets", "image-pull-secret", "known", "registry.example", "robot:token")
        self.refused_set("TYPE_IMMUTABLE", "KEY=value", name="known-pull")

    def test_an_unknown_region(self):
        error = self.refused_set("UNKNOWN_REGION", "KEY=value", "--region", "mars", name="elsewhere")
        self.assertIn("us-east", error)

    def test_a_deploy_in_another_region_than_its_sets(self):
        self.refused(1, "REGION_MISMATCH", "deploy", "agent", "image:1", "--secrets", "known", "--region", "us-east")
        self.refused(1, "REGION_MISMATCH", "deploy", "agent", "image:1", "--credentials", "known-pull", "--region", "us-east")

    def test_a_deploy_that_confuses_the_types(self):
        self.refused(1, "INVALID_", "deploy", "agent", "image:1", "--secrets", "known-pull")
        self.refused(1, "INVALID_", "deploy", "agent", "image:1", "--credentials", "known")

    def test_set_names_that_break_the_rule(self):
        for name in ("ab", "a" * 64, "Upper", "under_score", "-begins", "ends-", "two..dots", ".dot", "sp ace", "ümlaut", "a/b"):
            with self.subTest(name):
                self.refused_set("3 to 63" if name[0] != "-" else "no option", "KEY=value", name=name, exit_code=2)
                if name[0] != "-":
                    self.refused(1, "INVALID_SECRET_SET_NAME", "secrets", "delete", name)

    def test_set_names_at_the_limits_are_accepted(self):
        for name in ("abc", "a" * 63, "a.b-c.d9"):
            self.user.ok("secrets", "set", name, "KEY=value")
            self.user.ok("secrets", "delete", name)

    # Keys.

    def test_a_key_of_sixty_five_characters(self):
        self.user.ok("secrets", "set", "long-key", "K" * 64 + "=value")
        error = self.refused_set("64", "K" * 65 + "=value", exit_code=2)
        self.assertNotIn("=value", error)

    def test_keys_with_bad_characters(self):
        for key in ("sp ace", "dot.dot", "slash/", "ümlaut", "semi;colon", "dollar$", ""):
            with self.subTest(key):
                error = self.refused_set("", f"{key}=the-value", exit_code=2)
                self.assertNotIn("the-value", error)

    def test_all_bad_keys_are_named_at_once(self):
        """Of a .env file, by way of the API: the command line stops at the first one it sees."""
        path = self.directory / "bad.env"
        path.write_text("GOOD=1\n" + "B" * 65 + "=2\n" + "C" * 65 + "=3\n")
        error = self.refused(2, "", "secrets", "set", "known", "--file", str(path))
        self.assertTrue(error)

    def test_a_key_twice_in_one_command(self):
        self.refused_set("TWICE", "TWICE=1", "TWICE=2", exit_code=2)

    def test_a_key_without_a_value(self):
        self.refused_set("", "KEY=value", "LONELY", exit_code=2)

    # Sizes.

    def test_an_empty_set(self):
        self.refused_set("", name="empty", exit_code=2)

    def test_a_value_of_one_byte_too_many(self):
        self.user.ok("secrets", "set", "large", "KEY=" + "x" * 65536)
        error = self.refused(2, "65536", "secrets", "set", "large", "KEY=" + "x" * 65537)
        self.assertIn("65536", error)
        self.assertIn("65537", error)
        self.refused(2, "65536", "secrets", "set", "large", "--from-stdin", "KEY", stdin=b"x" * 65537)

    def test_a_value_with_nul(self):
        self.refused(2, "NUL", "secrets", "set", "known", "--from-stdin", "KEY", stdin=b"a\0b")

    def test_a_set_of_one_key_too_many(self):
        self.user.ok("secrets", "set", "many", *[f"KEY_{i}=x" for i in range(256)])
        self.refused_set("INVALID_", "KEY_256=x", name="many")

    def test_a_set_of_one_byte_too_many(self):
        for i in range(8):
            self.user.ok("secrets", "set", "heavy", "--from-stdin", f"KEY_{i}", stdin=b"x" * 65536)
        self.refused_set("INVALID_", "KEY_8=x", name="heavy")

    # What is not there, and who may not.

    def test_unknown_set_and_unknown_key(self):
        self.refused(1, "SECRET_SET_NOT_FOUND", "secrets", "list", "unknown")
        self.refused(1, "SECRET_SET_NOT_FOUND", "secrets", "unset", "unknown", "KEY")
        self.refused(1, "SECRET_SET_NOT_FOUND", "secrets", "delete", "unknown")
        self.refused(1, "SECRET_SET_NOT_FOUND", "secrets", "wait", "unknown")
        self.refused(1, "SECRET_SET_NOT_FOUND", "deploy", "agent", "image:1", "--secrets", "unknown")
        self.refused(1, "SECRET_NOT_FOUND", "secrets", "unset", "known", "UNKNOWN")

    def test_a_required_key_that_the_set_lacks(self):
        error = self.refused(4, "MISSING_REQUIRED_KEYS", "deploy", "agent", "image:1", "--secrets", "known", "--require", "KEY",
                             "--require", "ONE", "--require", "TWO")
        self.assertIn("ONE", error)
        self.assertIn("TWO", error)

    def test_an_etag_that_is_not_current(self):
        etag = self.show("known")["etag"]
        self.user.ok("secrets", "set", "known", "KEY=newer", "--etag", etag)
        self.refused_set("ETAG_MISMATCH", "KEY=newest", "--etag", etag, exit_code=4)

    def test_another_organizations_sets_are_not_found(self):
        stranger = self.system.user(self.system.new_organization("strangers"), "strangers")
        result = stranger.run("secrets", "list", "known")
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"SECRET_SET_NOT_FOUND", result.stderr)
        self.assertEqual(self.names(stranger), [])
        stranger.ok("secrets", "set", "known", "KEY=mine", "--region", "us-east")
        nosy = self.system.user(stranger.environment["KEYFERRY_API_KEY"], "acme")
        self.assertIn(b"NOT_FOUND", nosy.run("secrets", "list").stderr)

    def test_no_key_and_a_wrong_key(self):
        key = self.system.settings["api_key"]
        for wrong in ("", "nonsense", key[:-1] + ("a" if key[-1] != "a" else "b")):
            with self.subTest(wrong[:3]):
                self.assertEqual(self.system.user(wrong or " ").run("secrets", "list").returncode in (2, 5), True)

    def test_roles(self):
        for role, may_write, may_deploy in (("member", True, True), ("deployer", False, True), ("viewer", False, False)):
            with self.subTest(role):
                user = self.system.user(self.system.new_key("acme", role))
                self.assertIn("known", self.names(user))
                wrote = user.run("secrets", "set", "known", "--dry-run", "KEY=x").returncode
                deployed = user.run("deploy", "agent", "image:1", "--secrets", "known-role", "--dry-run").returncode
                self.assertEqual(wrote, 0 if may_write else 5)
                self.assertEqual(deployed == 5, not may_deploy)

    def test_a_revoked_key(self):
        user = self.system.user(self.system.new_key("acme", "viewer"))
        identity = user.environment["KEYFERRY_API_KEY"].split("_")[1]
        user.ok("secrets", "list")
        self.user.ok("keys", "revoke", identity)
        self.assertEqual(user.run("secrets", "list").returncode, 5)

    # A dry run and a write that changes nothing.

    def test_dry_runs_change_nothing(self):
        before = self.snapshot()
        self.user.ok("secrets", "set", "known", "KEY=dry", "NEW=dry", "--dry-run")
        self.user.ok("secrets", "set", "never-made", "KEY=dry", "--dry-run")
        self.user.ok("secrets", "delete", "known-pull", "--dry-run")
        self.assertEqual(self.snapshot(), before)

    def test_the_last_key_can_be_unset_and_leaves_an_empty_set(self):
        self.set("emptied", "KEY=value")
        self.user.ok("secrets", "unset", "emptied", "KEY")
        self.user.ok("secrets", "wait", "emptied")
        self.assertEqual(self.show("emptied")["keys"], [])
        self.deploy("emptied", "emptied")
        self.assertEqual(self.environment("emptied"), {})

    def test_a_write_of_the_same_value_makes_no_generation(self):
        first = self.set("same", "KEY=value")
        self.assertEqual(self.set("same", "KEY=value")["generation"], first["generation"])
        self.assertEqual(self.set("same", "KEY=other")["generation"], first["generation"] + 1)


if __name__ == "__main__":
    unittest.main()
