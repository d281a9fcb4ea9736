"""A slice of the campaign, its checker, its proxy and the soak's arithmetic. The whole: ./dev campaign --faults all"""

import tempfile
import unittest
from pathlib import Path

import campaign
import soak
from case import SEED
from harness import BIN


class CampaignTest(unittest.TestCase):
    def test_histories_under_kills_power_losses_and_a_bad_network_are_linearizable(self):
        parent = BIN.parent / "system-tests"
        parent.mkdir(exist_ok=True)
        seed = SEED % 2**31
        print(f"campaign: seed={seed}", flush=True)
        with tempfile.TemporaryDirectory(prefix="campaign-", dir=parent) as directory:
            code, report, figures = campaign.run(Path(directory), seed, {"kill": 1, "power": 1, "reset": 1, "wipe": 1})
        print(figures, flush=True)
        self.assertEqual(code, 0, report)


class SoakFiguresTest(unittest.TestCase):
    def test_a_line_through_what_grows_has_its_slope_and_no_error(self):
        growth, error = soak.slope([(second, 5 + second / 3600) for second in range(0, 3600, 10)])
        self.assertAlmostEqual(growth, 1)
        self.assertAlmostEqual(error, 0)

    def test_noise_makes_an_error_and_no_slope(self):
        growth, error = soak.slope([(second, 5 + second % 20 / 10) for second in range(0, 3600, 10)])
        self.assertLess(abs(growth), 2 * error)

    def test_a_quantile_is_that_of_the_observations_between_two_scrapes(self):
        text = 'x_bucket{rpc="a",le="0.1"} 90\nx_bucket{rpc="a",le="1"} 99\nx_bucket{rpc="a",le="+Inf"} 100\nx_bucket{rpc="b",le="0.1"} 0\n'
        after = soak.buckets_of(text, "x")
        self.assertEqual(soak.quantile({}, after, 0.9), 0.1)
        self.assertEqual(soak.quantile({}, after, 0.99), 1)
        self.assertEqual(soak.quantile(after, after, 0.99), None)


if __name__ == "__main__":
    unittest.main()
