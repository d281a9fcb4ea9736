"""Values arrive byte for byte, by every way in: as arguments, from files, from standard input, from .env files."""

import base64
import unittest

from case import SystemTest

# No NUL: it cannot be in an environment, and is refused.
EVERY_BYTE = bytes(range(1, 256))
VALUES = {
    "EMPTY": b"",
    "SPACES": b"  two before, two after  ",
    "TABS": b"\ta\tb\t",
    "QUOTES": b"it's \"quoted\" 'twice' `and` \xe2\x80\x9cagain\xe2\x80\x9d",
    "EQUALS": b"a=b==c=",
    "LEADING_EQUALS": b"=value=with=equals",
    "BACKSLASHES": b"C:\\new\\table \\\\ \\n \\",
    "NEWLINES": b"\nfirst\nsecond\r\nthird\n\n",
    "DOLLAR": b"$HOME ${HOME} $(id) `id` !! %s {0}",
    "HASH": b"# no comment # here",
    "UTF8": "Grüße, 秘密, 🔑, e\u0301 is not \u00e9".encode(),
    "NO_UTF8": b"\xff\xfe\x80\xc0",
    "EVERY_BYTE": EVERY_BYTE,
    "JSON": b'{"type": "service_account", "private_key": "-----BEGIN\\nkey\\n-----END\\n"}',
    "LOOKS_LIKE_AN_OPTION": b"--region=us-east",
    "LARGE": (EVERY_BYTE * 258)[:64 * 1024],
}


class ValuesTest(SystemTest):
    regions = ("us-west",)

    def assert_arrives(self, name, expected):
        self.assertEqual(self.files(name), expected)
        self.deploy(name, name)
        self.assertEqual(self.environment(name), expected)

    def test_as_one_argument_each(self):
        self.set("one-argument", *[key.encode() + b"=" + value for key, value in VALUES.items()])
        self.assert_arrives("one-argument", VALUES)

    def test_as_two_arguments_each(self):
        self.set("two-arguments", *[part for key, value in VALUES.items() for part in (key.encode(), value)])
        self.assert_arrives("two-arguments", VALUES)

    def test_from_files(self):
        options = []
        for key, value in VALUES.items():
            path = self.directory / key
            path.write_bytes(value)
            options += ["--from-file", f"{key}={path}"]
        self.set("from-files", *options)
        self.assert_arrives("from-files", VALUES)

    def test_from_standard_input(self):
        for key in ("NEWLINES", "LARGE"):
            self.user.ok("secrets", "set", "from-stdin", "--from-stdin", key, stdin=VALUES[key])
        self.user.ok("secrets", "wait", "from-stdin")
        self.assert_arrives("from-stdin", {key: VALUES[key] for key in ("NEWLINES", "LARGE")})

    def test_from_a_dotenv_file(self):
        path = self.directory / ".env"
        path.write_bytes(b"# what follows is not a comment\nPLAIN=value\nSPACES='two  words # here'\nexport DOUBLE=\"a\\nb\"\n")
        self.set("from-dotenv", "--file", str(path))
        self.assert_arrives("from-dotenv", {"PLAIN": b"value", "SPACES": b"two  words # here", "DOUBLE": b"a\nb"})

    def test_random_bytes_in_a_set_of_the_largest_size(self):
        values = {f"KEY_{i}": self.dice.randbytes(64 * 1024).replace(b"\0", b"\1") for i in range(8)}
        options = []
        for key, value in values.items():
            path = self.directory / key
            path.write_bytes(value)
            options += ["--from-file", f"{key}={path}"]
        self.set("largest", *options)
        self.assert_arrives("largest", values)
        self.refused(1, "INVALID_", "secrets", "set", "largest", "ONE_MORE=x")

    def test_the_guides_shell_commands(self):
        """Section "Special characters", through a shell as a person types them."""
        commands = {
            "KEY1=simple KEY2=value": {"KEY1": b"simple", "KEY2": b"value"},
            'KEY1="value with spaces"': {"KEY1": b"value with spaces"},
            '"KEY1=value with spaces"': {"KEY1": b"value with spaces"},
            'KEY1="value=with=equals"': {"KEY1": b"value=with=equals"},
            "KEY1==value=with=equals": {"KEY1": b"=value=with=equals"},
            'KEY1="value with \\"quotes\\""': {"KEY1": b'value with "quotes"'},
            "'KEY1=value with \"quotes\"'": {"KEY1": b'value with "quotes"'},
            "'KEY1=value with \\backslashes'": {"KEY1": b"value with \\backslashes"},
            '"KEY1=value with \\\\backslashes"': {"KEY1": b"value with \\backslashes"},
        }
        for number, (text, expected) in enumerate(commands.items()):
            name = f"shell-{number}"
            with self.subTest(text):
                self.user.shell(f"keyferry secrets set {name} {text} --wait")
                self.assertEqual(self.files(name), expected)


class ImagePullSecretValuesTest(SystemTest):
    regions = ("us-west",)

    def expect_auth(self, name, credentials, host="registry.example/"):
        auth = base64.b64encode(credentials).decode()
        self.assertEqual(self.pull_secret_file(name), {"auths": {host: {"auth": auth}}})

    def test_credentials_with_special_characters(self):
        for number, token in enumerate([b'"quote"=equals=\\back$`x`', "schlüssel-🔑".encode(), b"a:b::c", b"x" * 8000]):
            name = f"pull-{number}"
            with self.subTest(name):
                credentials = b"robot$user:" + token
                self.user.ok("secrets", "image-pull-secret", name, "registry.example", credentials, "--wait")
                self.expect_auth(name, credentials)

    def test_credentials_already_in_base64_are_kept(self):
        auth = base64.b64encode(b"robot:token")
        self.user.ok("secrets", "image-pull-secret", "pull-base64", "registry.example", auth, "--wait")
        self.expect_auth("pull-base64", b"robot:token")

    def test_credentials_from_standard_input(self):
        self.user.ok("secrets", "image-pull-secret", "pull-stdin", "registry.example:5000/team", "--wait", stdin=b"robot:token\n")
        self.expect_auth("pull-stdin", b"robot:token", "registry.example:5000/team/")

    def test_a_deployment_with_both_kinds(self):
        self.set("with-pull", "KEY=value")
        self.user.ok("secrets", "image-pull-secret", "pull-both", "registry.example", "robot:token", "--wait")
        self.deploy("both", "with-pull", "--credentials", "pull-both")
        self.assertEqual(self.environment("both"), {"KEY": b"value"})

    def test_what_is_no_credentials_is_refused(self):
        error = self.refused(1, "INVALID_", "secrets", "image-pull-secret", "pull-bad", "registry.example", "no-colon-here")
        self.assertIn("username:token", error)
        self.assertNotIn("no-colon-here", error)


if __name__ == "__main__":
    unittest.main()
