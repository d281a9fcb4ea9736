"""docs/threat-model.md has each of the thirty threats, and the proofs that it and ARCHITECTURE.md name are tests that there are and that ctest runs."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/threat-model.md").read_text()
ROW = re.compile(r"^\| (T\d+) \| (.+?) \| (\w+) \| (.+) \| (.+?) \|$", re.M)
PROOF = re.compile(r"`(\w+)`: ((?:`\w+\.\w+`(?:, )?)+)")
DEFINED = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\(\s*(\w+),\s*(\w+)\)", re.M)


def cpp_tests(path):
    return {f"{suite}.{name}" for suite, name in DEFINED.findall(path.read_text())}


def python_tests(path):
    """Class.test_method of each class."""
    found, owner = set(), None
    for line in path.read_text().splitlines():
        if match := re.match(r"class (\w+)", line):
            owner = match[1]
        elif match := re.match(r"    def (test_\w+)", line):
            found.add(f"{owner}.{match[1]}")
    return found


def tests_by_ctest_name():
    found = {}
    for directory in ("libs", "services", "cli"):
        for path in [*(ROOT / directory).rglob("CMakeLists.txt"), *(ROOT / directory).rglob("*.cmake")]:
            for name, arguments in re.findall(r"keyferry_test\((\w+)([^)]*)\)", path.read_text()):
                sources = [path.parent / word for word in arguments.split() if word.endswith(".cc")]
                found[name] = set().union(*(cpp_tests(source) for source in sources if source.exists()))
    registered = (ROOT / "tests/CMakeLists.txt").read_text().split()
    for path in (ROOT / "tests/system").glob("*_test.py"):
        if any(re.search(rf"\b{path.stem.removesuffix('_test')}\b", word) for word in registered):
            found[f"system_{path.stem}"] = python_tests(path)
    return found


class ThreatModelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.tests = tests_by_ctest_name()

    def test_every_threat_has_one_row_a_verdict_and_a_proof(self):
        rows = ROW.findall(PAGE)
        self.assertEqual([number for number, *_ in rows], [f"T{i}" for i in range(1, 31)])
        for number, _, verdict, _, proofs in rows:
            self.assertIn(verdict, ("kept", "changed", "rejected"), number)
            self.assertEqual("; ".join(f"`{name}`: {tests}" for name, tests in PROOF.findall(proofs)), proofs, f"{number}: the form of its proofs")

    def test_every_proof_is_run_by_the_ctest_name_that_it_stands_under(self):
        problems = []
        for name, tests in PROOF.findall(PAGE):
            if name not in self.tests:
                problems.append(f"no ctest entry {name}")
                continue
            problems += [f"{name} has no {test}" for test in re.findall(r"`(\w+\.\w+)`", tests) if test not in self.tests[name]]
        self.assertEqual(problems, [])

    def test_what_architecture_md_says_its_invariants_are_guarded_by_is_there(self):
        table = (ROOT / "ARCHITECTURE.md").read_text().split("## Invariants")[1]
        known = set().union(*self.tests.values(), *(cpp_tests(path) for path in ROOT.glob("libs/**/*conformance*.cc")))
        suites, methods = {name.split(".")[0] for name in known}, {name.split(".")[1] for name in known}
        named = [each for row in re.findall(r"^\| I\d+ \|.*\| (.*) \|$", table, re.M) for each in re.findall(r"`([^`]+)`", row)]
        self.assertGreater(len(named), 15)
        problems = []
        for name in named:
            if name.endswith(".pml"):
                there = (ROOT / "tests/model" / name).exists()
            elif "/" in name:
                there = (ROOT / name).exists()
            elif "…" in name:
                there = any(name.strip("…") in method for method in methods)
            else:
                there = name in known or name in suites or name in methods
            if not there:
                problems.append(name)
        self.assertEqual(problems, [])


if __name__ == "__main__":
    unittest.main()
