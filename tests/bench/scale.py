"""./dev scale [storm slow resync]: what many, slow and dead consumers do to the others.

Calls at a fixed rate, far below what the API can do, run the whole time in regions of their own; what disturbs them comes in turns with quiet windows.
Told of each kind of call: p99 in the disturbed window ÷ p99 in the quiet one of the same round, as median [least .. most] over the rounds; the API's CPU
and its memory at the peak. docs/performance.md, section "Scale", explains what the figures are worth.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import scale_resync
import scale_slow
import scale_storm
from rig import BIN, BenchFailure, SystemFailure

SCENARIOS = {"storm": scale_storm.storm, "slow": scale_slow.slow, "resync": scale_resync.resync}
QUICK = {"rounds": 1, "seconds": 2, "provisioners": 40, "sets": 1000, "until_ended": False}


def arguments():
    parser = argparse.ArgumentParser(prog="./dev scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", choices=[[], *SCENARIOS], help="storm, slow, resync; all where none is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=15, help="of a window")
    parser.add_argument("--provisioners", type=int, default=2000, help="of the storm")
    parser.add_argument("--sets", type=int, default=1_000_000, help="of the region that is synced in full")
    parser.add_argument("--rate", type=int, default=200, help="calls a second: two fifths gate, two fifths get, a tenth set, a tenth set and wait until READY")
    parser.add_argument("--priority", type=int, default=0, metavar="NICE",
                        help="of the API and of the calls beside; below 0 (root) where others use the machine, whose work would be measured")
    parser.add_argument("--even", action="store_true", help="resync: also with the API's background threads at its calls' priority (root), which tells what their giving way is worth")
    parser.add_argument("--until-ended", action="store_true", help="slow: also how long until each kind of bad consumer was ended, some 4 minutes")
    parser.add_argument("--refill", action="store_true", help="make the stored sets anew")
    parser.add_argument("--quick", action="store_true", help="everything small: whether it runs, not how fast")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(QUICK)
    return options


def main():
    options = arguments()
    directory = Path(tempfile.mkdtemp(prefix="scale-", dir=BIN.parent))
    try:
        for name in options.scenarios or SCENARIOS:
            begin = time.monotonic()
            print(f"{name}:", flush=True)
            own = directory / name
            own.mkdir()
            SCENARIOS[name](own, options)
            shutil.rmtree(own)
            print(f"    ({name}: {time.monotonic() - begin:.0f} s)", flush=True)
    except (BenchFailure, SystemFailure) as failure:
        raise SystemExit(f"{failure}\n(logs: {directory})") from None
    shutil.rmtree(directory)


if __name__ == "__main__":
    sys.exit(main())
