"""A slice of the failpoint matrix. The whole: ./dev failpoints"""

import shutil
import tempfile
import unittest
from pathlib import Path

import failpoint_matrix
from case import SEED
from harness import BIN

OPERATIONS = ("set", "delete", "rotate organization")
OF_EACH = 2


class FailpointMatrixTest(unittest.TestCase):
    def test_what_was_acknowledged_is_there_after_a_crash_at_any_of_them(self):
        parent = BIN.parent / "system-tests"
        parent.mkdir(exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="failpoints-", dir=parent))
        seed = SEED % 2**31
        print(f"failpoints: seed={seed}", flush=True)
        results = failpoint_matrix.Results(None)
        code = failpoint_matrix.run(directory, failpoint_matrix.names(), OPERATIONS, seed, results, limit=OF_EACH)
        self.assertEqual(code, 0, f"logs: {directory}")
        passed = [key for key, outcome in results.outcomes.items() if outcome == "passed"]
        self.assertEqual(len(passed), OF_EACH * len(OPERATIONS))
        shutil.rmtree(directory)


if __name__ == "__main__":
    unittest.main()
