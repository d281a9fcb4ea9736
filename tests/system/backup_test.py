"""The restore drill, on real binaries: backups on schedule and on demand under load, a lost data directory, an empty one, and everything comes back
but what was deleted."""

import json
import shutil
import subprocess
import threading
import time
import unittest

from case import SystemTest
from harness import BIN, System, wait_for

SETS = 120
VALUE_BYTES = 32_000
DELETED = 5


class BackupTest(SystemTest):
    @classmethod
    def new_system(cls):
        cls.backups = cls.directory / "backups"
        return System(cls.directory, cls.regions, cls.log_level, api_flags=(
            "--backup-directory", cls.backups, "--backup-interval", "5s", "--backup-retention", "1h"))

    # Doing.

    def operator(self, *arguments):
        def answer():
            result = self.system.operator().run("-o", "json", "admin", *arguments)
            # A scheduled one may be under way.
            if b"BACKUP_RUNS" in result.stderr:
                return None
            self.assertEqual(result.returncode, 0, result.stderr)
            return json.loads(result.stdout)
        return wait_for(answer, f"admin {arguments}", 30, 0.1)

    def restore(self, *arguments, ok=True, target=None):
        command = [BIN / "keyferry", "admin", "restore", "--from", self.backups, "--keyring", self.system.directory / "api/keyring",
                   "--data-dir", target or self.system.api_data, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.returncode == 0, ok, result.stdout + result.stderr)
        return result

    def refused(self, exit_code, words, *arguments, **options):
        result = self.restore(*arguments, ok=False, **options)
        self.assertEqual(result.returncode, exit_code, result.stderr)
        self.assertIn(words, result.stderr)
        self.assertEqual([path.name for path in self.system.api_data.iterdir()], [], "what was refused left something")

    def fill(self):
        value = self.directory / "value"
        def some(worker):
            for number in range(worker, SETS, 4):
                value_file = value.with_suffix(f".{number}")
                value_file.write_bytes(bytes(self.content(number)))
                region = self.regions[number % 2]
                self.user.ok("secrets", "set", f"set-{number}", "--from-file", f"VALUE={value_file}", "--region", region)
        workers = [threading.Thread(target=some, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.wait_all_ready()

    @staticmethod
    def content(number):
        return (f"{number:08}" * (VALUE_BYTES // 8)).encode()

    def wait_all_ready(self):
        def unready():
            return [each["name"] for each in self.sets(self.user.json("secrets", "list")) if each["status"] != "ready"]
        wait_for(lambda: not unready(), "every set is ready", 60, 0.2)

    def ledger_lines(self):
        return (self.backups / "shred-ledger").read_bytes().count(b"\n")

    # What is to be shown.

    def test_a_lost_store_comes_back_from_a_backup_and_what_was_deleted_stays_deleted(self):
        self.fill()
        self.deploy("agent", "set-0")
        self.deploy("leaver", "set-1", "--region", self.regions[1])
        stop = threading.Event()
        busy = threading.Thread(target=self.keep_writing, args=(stop,))
        busy.start()
        try:
            begin = time.monotonic()
            first = self.operator("backup")
            first_seconds = time.monotonic() - begin
            self.user.ok("secrets", "set", "one-more", "KEY=value", "--region", "us-west")
            time.sleep(1)
            # A compaction in between may write all files anew.
            for _ in range(5):
                begin = time.monotonic()
                second = self.operator("backup")
                second_seconds = time.monotonic() - begin
                if second["newBytes"] < second["totalBytes"] / 2:
                    break
        finally:
            stop.set()
            busy.join()
        self.assertLess(second["newBytes"], second["totalBytes"] / 2)
        # Beside those on demand.
        wait_for(lambda: len(self.operator("backups")["backups"]) >= 3, "the schedule makes one too", 30, 0.5)
        self.assertEqual(self.operator("backups")["lastProblem"], "")
        self.assertFalse((self.system.api_data / "backup-checkpoint").exists())
        names, environment = sorted(self.names()), self.environment("agent")

        chosen = self.operator("backup")
        gone = self.delete_some()
        self.set("after", "KEY=value", "--region", "us-west")
        self.lose_the_store()
        ledger = self.backups / "shred-ledger"
        self.refuse_bad_ledgers(ledger, chosen["name"])
        dry = self.restore("--backup", chosen["name"], "--dry-run")
        self.assertIn("all verified", dry.stdout)
        self.assertEqual(list(self.system.api_data.iterdir()), [])
        begin = time.monotonic()
        report = self.restore("--backup", chosen["name"])
        restore_seconds = time.monotonic() - begin
        self.assertIn("every row opens", report.stdout)
        self.assertEqual(report.stdout.count("stays deleted: secret set"), DELETED, report.stdout)
        self.assertIn("deployment acme/leaver", report.stdout)

        begin = time.monotonic()
        self.system.api.start()
        self.wait_all_ready()
        converge_seconds = time.monotonic() - begin
        self.assertEqual(sorted(self.names()), [name for name in names if name not in gone])
        for name in [*gone, "after"]:
            for region in self.regions:
                self.wait_files(name, {}, region)
        for number in (0, 7, SETS - 1):
            self.assertEqual(self.files(f"set-{number}", self.regions[number % 2]), {"VALUE": self.content(number)})
        self.assertEqual(self.environment("agent"), environment)
        self.assertEqual([each["agent"] for each in self.user.json("agents", "list")["agents"]], ["agent"])
        # It goes on: writes, backups, another restore above this lineage.
        self.set("one-more", "KEY=other")
        third = self.operator("backup")
        self.assertEqual(third["name"].split("-")[1], "2")
        again = self.restore("--backup", chosen["name"], target=self.directory / "second")
        self.assertIn("lineage 3", again.stdout)
        print(json.dumps({"first": first, "first_seconds": round(first_seconds, 2), "second": second, "second_seconds": round(second_seconds, 2),
                          "restore_seconds": round(restore_seconds, 2), "converge_seconds": round(converge_seconds, 2),
                          "repository_bytes": sum(path.stat().st_size for path in self.backups.rglob("*") if path.is_file())}), flush=True)

    # Its parts.

    def keep_writing(self, stop):
        number = 0
        while not stop.is_set():
            number += 1
            self.user.ok("secrets", "set", f"busy-{number % 5}", f"KEY={number}", "--region", self.regions[number % 5 % 2])

    def delete_some(self):
        """Sets that the backup has; one of them was bound by an agent that goes first."""
        before = self.ledger_lines()
        self.user.ok("agents", "delete", "leaver")
        gone = [f"set-{number}" for number in range(1, DELETED + 1)]
        for name in gone:
            self.user.ok("secrets", "delete", name)
        wait_for(lambda: self.ledger_lines() == before + DELETED, "the ledger has them", 10)
        return gone

    def lose_the_store(self):
        self.assertTrue(self.system.api.stop())
        shutil.rmtree(self.system.api_data)
        self.system.api_data.mkdir(mode=0o700)

    def refuse_bad_ledgers(self, ledger, backup):
        self.refused(78, "--without-shred-ledger", "--backup", backup, "--shred-ledger", self.directory / "nowhere")
        cut = self.directory / "cut-ledger"
        lines = ledger.read_bytes().splitlines(keepends=True)
        cut.write_bytes(b"".join([lines[0], *lines[2:]]))
        self.refused(70, "does not follow", "--backup", backup, "--shred-ledger", cut)
        cut.write_bytes(ledger.read_bytes()[:-7])
        self.refused(70, "unfinished", "--backup", backup, "--shred-ledger", cut)
        cut.write_bytes(lines[0])
        self.refused(70, "is not the one", "--backup", backup, "--shred-ledger", cut)
        cut.unlink()

    def test_a_backup_shows_no_names(self):
        self.user.ok("secrets", "set", "canary-of-names", "CANARY_KEY=canary-of-values")
        self.operator("backup")
        for path in self.backups.rglob("*"):
            self.assertNotIn("canary", path.name)
            if path.is_file():
                content = path.read_bytes()
                for word in (b"canary", b"CANARY", b"acme", b"us-west"):
                    self.assertNotIn(word, content, path)

    def test_tenants_are_refused(self):
        for command in ("backup", "backups"):
            self.assertEqual(self.user.run("admin", command).returncode, 5)


if __name__ == "__main__":
    unittest.main()
