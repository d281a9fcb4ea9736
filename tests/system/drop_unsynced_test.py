"""The simulated disk of the crash campaign keeps exactly what was synced."""

import random
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from crash_campaign import Disk
from harness import BIN

PRELUDE = """
import os, sys
os.chdir(sys.argv[1])
def write(name, content, sync=True, flags=os.O_CREAT | os.O_WRONLY | os.O_APPEND):
    fd = os.open(name, flags, 0o600)
    os.write(fd, content)
    if sync: os.fdatasync(fd)
    os.close(fd)
def sync_names(directory="."):
    fd = os.open(directory, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
"""


class DropUnsyncedTest(unittest.TestCase):
    def setUp(self):
        parent = BIN.parent / "system-tests"
        parent.mkdir(exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix="disk-", dir=parent))
        self.addCleanup(shutil.rmtree, self.directory)
        self.live = self.directory / "data"
        self.live.mkdir()

    def after_power_loss(self, script, lie="", dice=None):
        """What is on the disk once a process that ran the script lost its power."""
        disk = Disk(self.live, lie)
        subprocess.run([sys.executable, "-c", PRELUDE + script, self.live], env=disk.environment, check=True)
        disk.lose_power(dice or random.Random(1), torn=False)
        return {path.relative_to(self.live).as_posix(): path.read_bytes() for path in self.live.rglob("*") if path.is_file()}

    def test_what_stood_there_at_the_start_and_what_was_synced_stays(self):
        (self.live / "old").write_bytes(b"old")
        self.assertEqual(self.after_power_loss("write('new', b'new'); sync_names()"), {"old": b"old", "new": b"new"})

    def test_bytes_that_were_not_synced_are_gone(self):
        self.assertEqual(self.after_power_loss("write('log', b'one'); sync_names(); write('log', b'two', sync=False)"), {"log": b"one"})

    def test_a_large_file_keeps_its_synced_part(self):
        found = self.after_power_loss("write('log', b'a' * 200_000); sync_names(); write('log', b'b' * 100_000); write('log', b'c', False)")
        self.assertEqual(found, {"log": b"a" * 200_000 + b"b" * 100_000})

    def test_a_small_file_that_was_overwritten_in_place_has_the_synced_bytes(self):
        script = "write('mark', b'1'); sync_names(); write('mark', b'2', True, os.O_WRONLY); write('mark', b'3', False, os.O_WRONLY)"
        self.assertEqual(self.after_power_loss(script), {"mark": b"2"})

    def test_a_name_whose_directory_was_not_synced_is_gone(self):
        self.assertEqual(self.after_power_loss("write('file', b'synced')"), {})

    def test_a_rename_counts_when_its_directory_is_synced(self):
        script = "write('CURRENT', b'1'); sync_names(); write('next', b'2'); os.rename('next', 'CURRENT')"
        self.assertEqual(self.after_power_loss(script), {"CURRENT": b"1"})
        self.assertEqual(self.after_power_loss(script + "; sync_names()"), {"CURRENT": b"2"})

    def test_an_unlink_counts_when_its_directory_is_synced(self):
        script = "write('file', b'1'); sync_names(); os.unlink('file')"
        self.assertEqual(self.after_power_loss(script), {"file": b"1"})
        self.assertEqual(self.after_power_loss(script + "; sync_names()"), {})

    def test_a_directory_is_as_lasting_as_its_name(self):
        script = "os.mkdir('db'); write('db/file', b'1'); sync_names('db')"
        self.assertEqual(self.after_power_loss(script), {})
        self.assertEqual(self.after_power_loss(script + "; sync_names()"), {"db/file": b"1"})

    def test_a_power_loss_after_another_begins_with_what_was_left(self):
        self.after_power_loss("write('log', b'1'); sync_names(); write('log', b'x', False)")
        self.assertEqual(self.after_power_loss("write('log', b'2'); write('log', b'x', False)"), {"log": b"12"})

    def test_the_planted_lie_keeps_nothing_of_its_files(self):
        script = "write('a.log', b'1'); write('b.sst', b'1'); sync_names()"
        self.assertEqual(self.after_power_loss(script, lie=".log"), {"a.log": b"", "b.sst": b"1"})


if __name__ == "__main__":
    unittest.main()
