"""Many provisioners that come back at once, slow ones and dead ones: the others get what is theirs, and the API's memory stays bounded. A slice of `./dev scale`."""

import contextlib
import signal
import sys
import types
import unittest
from pathlib import Path

from case import SystemTest
from harness import REPORTS

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

from measure import resident_bytes  # noqa: E402
from rig import Fleet  # noqa: E402

STORM = 50
# libs/common/limits.h: what one provisioner may have in flight. The feed has it, and gRPC's copy on its way.
MAX_INFLIGHT_BYTES = 4 << 20
COPIES = 2
# Caches, arenas, what the calls themselves leave behind.
SLACK_BYTES = 64 << 20
VALUE = "x" * 65000
SETS_FOR_EACH = 10


class ScaleTest(SystemTest):
    regions = ()

    def fleet(self, prefix, count):
        inner = f"127.0.0.1:{self.system.settings['ports']['inner']}"
        fleet = self.leaving.enter_context(Fleet(types.SimpleNamespace(directory=self.directory, system=self.system, inner_address=inner), prefix))
        fleet.ask(f"connect {count}")
        return fleet

    def setUp(self):
        self.leaving = contextlib.ExitStack()
        self.addCleanup(self.leaving.close)

    def write(self, name, region, *arguments, value="x"):
        self.user.ok("secrets", "set", name, f"KEY={value}", "--region", region, *arguments)

    def test_all_come_back_when_all_are_cut_at_once(self):
        storm = self.fleet("storm", STORM)
        self.write("before", "storm-0", "--wait=30s")
        storm.ask("cut")
        self.write("meanwhile", f"storm-{STORM - 1}")
        said = storm.ask("recover 120")
        self.assertEqual((said["connected"], said["synced"]), (STORM, STORM))
        self.write("after", "storm-7", "--wait=30s")
        self.assertEqual([each["status"] for each in self.sets(self.user.json("secrets", "list"))
                          if each["region"].startswith("storm")], ["ready"] * 3)

    def test_slow_and_dead_ones_hold_up_nobody(self):
        healthy, never, stopped = self.fleet("healthy", 2), self.fleet("never", 2), self.fleet("stopped", 2)
        before = resident_bytes(self.system.api.pid)
        never.ask("never")
        stopped.process.send_signal(signal.SIGSTOP)
        self.leaving.callback(stopped.process.send_signal, signal.SIGCONT)
        for number in range(SETS_FOR_EACH):
            for kind in ("never", "stopped"):
                for region in range(2):
                    self.write(f"{kind}-{region}-{number}", f"{kind}-{region}", value=VALUE)
            self.write(f"healthy-{number}", f"healthy-{number % 2}", "--wait=30s")
        sets = self.sets(self.user.json("secrets", "list"))
        waiting = [each["status"] for each in sets if each["region"].startswith(("never", "stopped"))]
        self.assertEqual(waiting, ["pending"] * 4 * SETS_FOR_EACH)
        self.assertEqual(healthy.ask("counts")["connected"], 2)
        if not REPORTS:
            grown = resident_bytes(self.system.api.pid) - before
            self.assertLess(grown, 4 * COPIES * MAX_INFLIGHT_BYTES + SLACK_BYTES)


if __name__ == "__main__":
    unittest.main()
