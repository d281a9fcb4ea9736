"""deploy/systemd: the units are well formed and closed, name only flags that exist, and let the programs make the calls that they need."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import seccomp
from case import SystemTest, plain_build
from harness import BIN, ROOT, System

UNITS = ROOT / "deploy/systemd"
NAMES = ("keyferry-api", "keyferry-provisioner", "keyferry-gateway")
MAX_EXPOSURE = 1.5
# kBackgroundNiceness
NICENESS = 10


def unit(name):
    return UNITS / f"{name}.service"


def setting(text, name):
    return re.findall(rf"^{name}=(.*)$", text, re.M)


class UnitTest(unittest.TestCase):
    def test_there_is_a_unit_for_each_daemon_and_no_other(self):
        self.assertEqual(sorted(path.stem for path in UNITS.iterdir()), sorted(NAMES))

    def test_each_scores_one_point_five_or_better(self):
        for name in NAMES:
            result = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={int(MAX_EXPOSURE * 10)}", unit(name)],
                                    capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stdout[-500:] + result.stderr)
            score = float(re.search(r"exposure level for \S+ ([0-9.]+)", result.stdout)[1])
            self.assertLessEqual(score, MAX_EXPOSURE)
            self.assertEqual(re.search(r"gives this unit ([0-9.]+)", unit(name).read_text())[1], str(score), "what the unit says of itself")

    def test_systemd_finds_no_fault(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in NAMES:
                copy = Path(directory) / f"{name}.service"
                copy.write_text(unit(name).read_text().replace("/usr/bin/", f"{BIN}/"))
                result = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False)
                self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""), name)

    def test_every_flag_exists(self):
        for name in NAMES:
            text = unit(name).read_text()
            help_text = subprocess.run([BIN / name, "--helpfull"], capture_output=True, text=True, check=False).stdout
            flags = set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", text))
            self.assertGreaterEqual(len(flags), 5)
            known = set(re.findall(r"^    --(\w+) \(", help_text, re.M))
            self.assertEqual({flag for flag in flags if flag.replace("-", "_") not in known}, set(), name)

    def test_keys_come_as_credentials_alone(self):
        for name in NAMES:
            text = unit(name).read_text()
            loaded = {each.partition(":")[0] for each in setting(text, "LoadCredential")}
            (command,) = setting(text, "ExecStart")
            self.assertEqual(set(re.findall(r"%d/([\w.]+)", command)), loaded, name)
            for flag in re.findall(r"--(?:[a-z]+-)?(?:key|cert|keyring|ca)=(\S+)", command):
                self.assertTrue(flag.startswith("%d/"), flag)

    def test_a_mistake_in_the_configuration_is_not_tried_again(self):
        for name in NAMES:
            self.assertEqual(setting(unit(name).read_text(), "RestartPreventExitStatus"), ["78"])


@plain_build("tracer, which no unit lets through")
class FilteredTest(SystemTest):
    """The daemons under the filters of their units."""

    regions = ("us-west",)

    @classmethod
    def new_system(cls):
        system = System(cls.directory, cls.regions, cls.log_level)
        describe = system._describe

        def filtered():
            describe()
            for daemon, name in ((system.api, NAMES[0]), (system.provisioners["us-west"], NAMES[1]), (system.gateway, NAMES[2])):
                daemon.command = [sys.executable, seccomp.__file__, str(unit(name)), *daemon.command]

        system._describe = filtered
        return system

    def test_the_calls_that_the_units_let_through_are_all_that_a_secrets_life_needs(self):
        self.set("filtered", "KEY=value")
        self.deploy("filtered-agent", "filtered")
        self.assertEqual(self.environment("filtered-agent"), {"KEY": b"value"})
        self.wait_files("filtered", {"KEY": b"value"})
        for daemon in self.system.daemons:
            self.assertTrue(daemon.stop(), daemon.name)
        self.system.start()
        self.set("filtered", "KEY=newer")
        self.wait_files("filtered", {"KEY": b"newer"})

    def test_the_filter_is_there(self):
        for daemon in self.system.daemons:
            status = Path(f"/proc/{daemon.pid}/status").read_text()
            self.assertIn("Seccomp:\t2", status, daemon.name)

    def test_the_background_threads_of_the_api_may_give_way(self):
        pid = self.system.api.pid
        lowered = min(os.getpriority(os.PRIO_PROCESS, pid) + NICENESS, 19)
        threads = [os.getpriority(os.PRIO_PROCESS, int(thread)) for thread in os.listdir(f"/proc/{pid}/task")]
        self.assertGreaterEqual(threads.count(lowered), 4)


if __name__ == "__main__":
    unittest.main()
