"""What the system tests share: a system of their own for each test class, and the ways to look at it."""

import base64
import json
import os
import random
import shutil
import tempfile
import unittest
from pathlib import Path

from harness import BIN, REPORTS, System, wait_for

SEED = int(os.environ.get("KEYFERRY_SEED", random.SystemRandom().randrange(2**32)))

# The environment of a process, byte for byte, as lines of base64.
SHOW_ENVIRONMENT = "import os,base64\nfor k,v in os.environb.items(): print(k.decode(), base64.b64encode(v).decode())"


def plain_build(what):
    """For tests of what a sanitizer's runtime replaces: they run in every build without one."""
    return unittest.skipIf(REPORTS, f"a sanitizer build has its own {what}")


class SystemTest(unittest.TestCase):
    regions = ("us-west", "us-east")
    log_level = "info"
    # Further ones of keyferry-api; regions of `regions` without escrow.
    api_flags = ()
    blind = ()
    maxDiff = 2000

    @classmethod
    def setUpClass(cls):
        parent = BIN.parent / "system-tests"
        parent.mkdir(exist_ok=True)
        cls.directory = Path(tempfile.mkdtemp(prefix=cls.__name__ + "-", dir=parent))
        cls.failed = False
        cls.system = cls.new_system()
        cls.addClassCleanup(cls.clean_up)
        cls.system.start()
        cls.user = cls.system.user()
        cls.dice = random.Random(SEED)
        print(f"{cls.__name__}: KEYFERRY_SEED={SEED}", flush=True)

    @classmethod
    def new_system(cls):
        """Not started; what it needs beside itself is there when this returns."""
        return System(cls.directory, cls.regions, cls.log_level, api_flags=cls.api_flags, blind=cls.blind)

    @classmethod
    def clean_up(cls):
        stubborn = cls.system.stop()
        if cls.failed:
            print(f"logs: {cls.directory}")
        else:
            shutil.rmtree(cls.directory)
        if stubborn:
            raise AssertionError(f"SIGTERM did not end {stubborn}")

    def tearDown(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.failures + result.errors):
            type(self).failed = True
            for daemon in self.system.daemons:
                print(daemon.tail())

    # Doing.

    def set(self, name, *pairs, user=None):
        """Writes and waits until it is ready; answers the set."""
        (user or self.user).ok("secrets", "set", name, *pairs, "--wait=30s")
        return self.show(name, user)

    def deploy(self, agent, set_name, *arguments, user=None):
        return (user or self.user).ok("deploy", agent, "image:1", "--secrets", set_name, "--wait=30s", *arguments)

    # Looking.

    def show(self, name, user=None):
        return (user or self.user).json("secrets", "list", name)

    @staticmethod
    def sets(document):
        return document["sets"]

    def names(self, user=None):
        return [each["name"] for each in self.sets((user or self.user).json("secrets", "list"))]

    def environment(self, agent, user=None, region="us-west", clean=True):
        """What a process of the agent sees, without what it inherits."""
        user = user or self.system.user(region=region)
        lines = user.ok("run", "--agent", agent, *(["--clean-environment"] if clean else []), "--", "/usr/bin/python3", "-c",
                        SHOW_ENVIRONMENT).splitlines()
        found = {name: base64.b64decode(value) for name, value in (line.partition(" ")[::2] for line in lines)}
        return {name: value for name, value in found.items() if name not in ("PATH", "HOME", "LANG", "TERM", "TZ", "USER", "LC_CTYPE")}

    def files(self, name, region="us-west", organization="acme"):
        """The set's files in the region, by key; empty where it has none."""
        directory = self.system.files(region) / "sets" / organization / name
        return {path.name: path.read_bytes() for path in directory.iterdir()} if directory.exists() else {}

    def wait_files(self, name, expected, region="us-west"):
        wait_for(lambda: self.files(name, region) == expected, f"the files of {name} in {region} are as expected", 15)

    def pull_secret_file(self, name, region="us-west"):
        return json.loads(self.files(name, region)[".dockerconfigjson"])

    def refused(self, exit_code, reason, *arguments, user=None, **options):
        """The command fails with the code and names the reason; answers its standard error. Nothing changed."""
        before = self.snapshot(user)
        result = (user or self.user).run(*arguments, **options)
        error = result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, exit_code, error)
        self.assertIn(reason, error)
        self.assertEqual(self.snapshot(user), before, "a refused command changed something")
        return error

    def snapshot(self, user=None):
        """All that a user can see, but for what moves by itself."""
        user = user or self.user
        moving = ("status", "readyGeneration", "conditions", "errorMessage")
        sets = [{name: value for name, value in each.items() if name not in moving}
                for each in self.sets(user.json("secrets", "list"))]
        agents = [{name: value for name, value in each.items() if name not in moving}
                  for each in user.json("agents", "list")["agents"]]
        return sets, agents
