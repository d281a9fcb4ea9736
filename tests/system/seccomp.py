"""What a systemd unit's SystemCallFilter lets through, as a seccomp filter for any command:

    seccomp.py UNIT COMMAND...     runs the command under the filter of UNIT; other calls fail with EPERM, as SystemCallErrorNumber= says
    seccomp.py deny:CALL:NUMBER COMMAND...     refuses one call alone, where its first (of prlimit64 the second) argument is NUMBER
"""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path

NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
EPERM = 1
X86_64 = 0xC000003E
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
NUMBER_OFFSET, ARCH_OFFSET, FIRST_ARGUMENT = 0, 4, 16
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


def numbers():
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text())}


def expand(word):
    """The calls of a set, or the call itself."""
    if not word.startswith("@"):
        return {word}
    lines = subprocess.run(["systemd-analyze", "syscall-filter", word], capture_output=True, text=True, check=True).stdout.splitlines()
    found = set()
    for line in lines[1:]:
        line = line.strip()
        if line and not line.startswith("#"):
            found |= expand(line)
    return found


def allowed(unit):
    calls = expand("@default")
    for rule in re.findall(r"^SystemCallFilter=(.*)$", Path(unit).read_text(), re.M):
        words = rule.removeprefix("~").split()
        for word in words:
            calls = calls - expand(word) if rule.startswith("~") else calls | expand(word)
    return calls | expand("@default")


class Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.POINTER(Filter))]


def install(filters):
    program = Program(len(filters), (Filter * len(filters))(*filters))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def only(calls):
    known = numbers()
    filters = [Filter(LOAD, 0, 0, ARCH_OFFSET), Filter(EQUALS, 1, 0, X86_64), Filter(RETURN, 0, 0, KILL), Filter(LOAD, 0, 0, NUMBER_OFFSET)]
    for call in sorted(calls & known.keys()):
        filters += [Filter(EQUALS, 0, 1, known[call]), Filter(RETURN, 0, 0, ALLOW)]
    return [*filters, Filter(RETURN, 0, 0, ERRNO | EPERM)]


def all_but(call, argument):
    offset = FIRST_ARGUMENT + (8 if call == "prlimit64" else 0)
    return [Filter(LOAD, 0, 0, NUMBER_OFFSET), Filter(EQUALS, 0, 3, numbers()[call]), Filter(LOAD, 0, 0, offset),
            Filter(EQUALS, 0, 1, argument), Filter(RETURN, 0, 0, ERRNO | EPERM), Filter(RETURN, 0, 0, ALLOW)]


if __name__ == "__main__":
    rule, command = sys.argv[1], sys.argv[2:]
    if rule.startswith("deny:"):
        _, name, value = rule.split(":")
        install(all_but(name, int(value)))
    else:
        install(only(allowed(rule)))
    os.execv(command[0], command)
