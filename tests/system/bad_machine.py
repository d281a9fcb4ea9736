"""The other end of bad_machine.c: makes calls of a daemon fail, or its wall clock jump, while it runs."""

import errno
import mmap
import os
import struct

from harness import BIN

# As struct Control of bad_machine.c.
LAYOUT = struct.Struct("<qIIIIQQQ")
CALLS = {"write": 1, "sync": 2, "open": 4, "rename": 8}


class BadMachine:
    """One daemon's; `root` is its data directory."""

    def __init__(self, control, root):
        control.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        control.write_bytes(bytes(LAYOUT.size))
        self.environment = {"LD_PRELOAD": str(BIN / "bad_machine.so"), "BAD_MACHINE_CONTROL": str(control), "BAD_MACHINE_ROOT": str(root)}
        descriptor = os.open(control, os.O_RDWR | os.O_CLOEXEC)
        self.map = mmap.mmap(descriptor, LAYOUT.size)
        os.close(descriptor)

    def fail(self, calls, error, one_in=1):
        """Every `one_in`-th of the calls named in `calls` fails with errno `error`, a name."""
        struct.pack_into("<III", self.map, 8, sum(CALLS[call] for call in calls), getattr(errno, error), one_in)

    def jump(self, seconds):
        """The wall clock is so far ahead of the true one."""
        struct.pack_into("<q", self.map, 0, int(seconds * 1_000_000_000))

    def mend(self):
        struct.pack_into("<qIII", self.map, 0, 0, 0, 0, 0)

    @property
    def exhausted(self):
        """Descriptors that it asked for and did not get."""
        return LAYOUT.unpack(self.map)[4]

    @property
    def failed(self):
        return LAYOUT.unpack(self.map)[6]

    @property
    def moved_times(self):
        """Readings of the wall clock while it was wrong."""
        return LAYOUT.unpack(self.map)[7]
