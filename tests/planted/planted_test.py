"""Every planted bug still fits the sources, and the tests that it names are there. The whole: ./dev planted"""

import re
import subprocess
import unittest

from planted import ROOT, plants

LEAST = 20


class PlantedTest(unittest.TestCase):
    def test_there_are_twenty_and_each_says_what_it_is(self):
        self.assertGreaterEqual(len(plants()), LEAST)
        for plant in plants():
            self.assertTrue(plant.what and plant.targets and plant.reds, plant.path)

    def test_each_applies(self):
        problems = []
        for plant in plants():
            result = subprocess.run(["git", "apply", "--check", plant.path], cwd=ROOT, env={"PATH": "/usr/bin:/bin", "GIT_DIR": "/nonexistent"},
                                    capture_output=True, text=True, check=False)
            if result.returncode != 0:
                problems.append(f"{plant.name}: {result.stderr}")
        self.assertFalse(problems, "make these patches anew, at what their code has become:\n" + "\n".join(problems))

    def test_the_tests_that_they_name_are_there(self):
        known = set()
        for path in [*ROOT.glob("libs/**/*_test.cc"), *ROOT.glob("services/**/*_test.cc"), *ROOT.glob("libs/**/testing/*.cc")]:
            known |= {f"{suite}.{test}" for suite, test in re.findall(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", path.read_text(), re.M)}
        for plant in plants():
            for red in plant.reds:
                for test in re.findall(r"--gtest_filter='?([^'\s]+)", red):
                    for name in test.replace("*/", "").replace("/*", "").split(":"):
                        found = name in known or (name.endswith("*") and any(each.startswith(name[:-1]) for each in known))
                        self.assertTrue(found, f"{plant.name}: there is no test {name}")


if __name__ == "__main__":
    unittest.main()
