"""Failpoints stand where failpoint_names.h says, each at a boundary of its own kind, and builds without them have none."""

import re
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIST = ROOT / "libs/common/failpoint_names.h"
LEAST = 40
PROGRAM = b"""
#include "libs/common/failpoint.h"
int main() { FAILPOINT("store.commit.before_write"); FAILPOINTS_FROM_ENVIRONMENT(); }
"""


def listed():
    return dict(re.findall(r'\{"([\w.]+)", (true|false)\}', LIST.read_text()))


class FailpointNamesTest(unittest.TestCase):
    def test_the_sources_have_all_that_are_listed_and_no_others(self):
        found = {}
        for directory in ("libs", "services", "cli"):
            for path in (ROOT / directory).rglob("*.cc"):
                if path.name.endswith("_test.cc"):
                    continue
                for can_fail, name in re.findall(r'\bFAILPOINT(_OR_RETURN)?\(\s*"([^"]+)"\)', path.read_text()):
                    found.setdefault(name, set()).add("true" if can_fail else "false")
        names = listed()
        self.assertGreaterEqual(len(names), LEAST)
        self.assertEqual(found, {name: {can_fail} for name, can_fail in names.items()})

    def test_without_the_option_nothing_is_left_of_one(self):
        result = subprocess.run(["c++", "-std=c++20", "-E", "-P", "-I", ROOT, "-x", "c++", "-"], input=PROGRAM, capture_output=True, check=True)
        self.assertNotIn(b"store.commit", result.stdout)
        self.assertNotIn(b"failpoint", result.stdout)

    def test_a_release_build_that_is_here_has_none(self):
        for program in ("keyferry-api", "keyferry-provisioner", "keyferry", "keyferry-gateway"):
            path = ROOT / "build/release/bin" / program
            content = path.read_bytes() if path.exists() else b""
            self.assertNotIn(b"KEYFERRY_FAILPOINTS", content, path)
            self.assertEqual([name for name in listed() if name.encode() in content], [], path)


if __name__ == "__main__":
    unittest.main()
