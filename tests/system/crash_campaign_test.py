"""A slice of the crash campaign, and proof that it has teeth. The whole: ./dev campaign --kill 200 --power 200"""

import shutil
import tempfile
import unittest
from pathlib import Path

import crash_campaign
from case import SEED
from harness import BIN


class CrashCampaignTest(unittest.TestCase):
    def campaign(self, kills, power_losses, lie="", into_the_past=False):
        parent = BIN.parent / "system-tests"
        parent.mkdir(exist_ok=True)
        directory = Path(tempfile.mkdtemp(prefix="campaign-", dir=parent))
        seed = SEED % 2**31
        print(f"campaign: kill={kills} power={power_losses} seed={seed} lie={lie!r} into_the_past={into_the_past}", flush=True)
        code, report = crash_campaign.run(directory, seed, kills, power_losses, lie, into_the_past)
        print(report, flush=True)
        if lie or into_the_past or code == 0:
            shutil.rmtree(directory)
        return code, report

    def test_nothing_is_lost_by_kills_and_power_losses(self):
        code, report = self.campaign(5, 5)
        self.assertEqual(code, 0, report)

    def test_a_store_that_does_not_sync_is_caught(self):
        """The planted bug: fdatasync of the write-ahead log answers OK and does nothing."""
        code, report = self.campaign(0, 5, lie=".log")
        self.assertEqual(code, 1, report)
        self.assertIn("violation", report)

    def test_a_store_that_goes_back_in_time_is_caught_by_the_load_clients_record(self):
        code, report = self.campaign(0, 0, into_the_past=True)
        self.assertEqual(code, 1, report)
        self.assertRegex(report, "generation|came back|NOT_FOUND|other keys|no secret set|does not exist")


if __name__ == "__main__":
    unittest.main()
