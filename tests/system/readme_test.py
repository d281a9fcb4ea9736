"""The README's ten minutes, command by command, with the environment file of ./dev up."""

import re
import subprocess
import unittest

import dev_system
from case import SystemTest
from harness import ROOT


def commands():
    """(command, comment) of the tour's code blocks, without the system's own start and end."""
    tour = (ROOT / "README.md").read_text().split("## Ten minutes")[1].split("\n## ")[0]
    for block in re.findall(r"```\n(.*?)```", tour, re.S):
        for line in block.splitlines():
            command, _, comment = line.partition("  #")
            if not command.startswith(("source ", "./dev ")):
                yield command.strip(), comment.strip()


class ReadmeTest(SystemTest):
    def test_the_tour_does_what_it_says(self):
        env = self.directory / "env"
        env.write_text(dev_system.environment(self.system))
        (self.directory / ".env").write_text("FROM_FILE=yes\n")
        functions = ""
        for command, comment in commands():
            if re.match(r"\w+\(\) ", command):
                functions += command + "\n"
                continue
            with self.subTest(command):
                script = f"source {env}\n{functions}{command.replace('build/dev/run/', f'{self.system.directory}/')}"
                result = subprocess.run(["/bin/bash", "-c", script], timeout=60,
                                        cwd=self.directory, capture_output=True, text=True, check=False)
                if comment.startswith("refused: "):
                    self.assertNotEqual(result.returncode, 0)
                    self.assertIn(re.match(r"refused: (\w+)", comment)[1], result.stderr)
                    continue
                self.assertEqual(result.returncode, 0, result.stderr)
                if "printenv" in command:
                    self.assertEqual(result.stdout, comment + "\n")


if __name__ == "__main__":
    unittest.main()
