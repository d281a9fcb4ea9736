"""Bugs as an engineer could write them, each caught by the tests that its patch names. usage: planted.py [NAME...] [--keep] [--copy DIRECTORY]

A patch NAME.patch begins with lines of its own: `Planted:` what is wrong, `Targets:` what is built, `Red:` a command that must succeed without the
patch and fail with it; there may be several. Commands run at the root of the tree, with the binaries of the build first in PATH.
The sources and build/dev are copied, and the copy stands at the tree's own path in a mount namespace, so that only what a patch changes is built.
Exit code 0: every bug was caught. 1: one was missed. 3: invalid, a patch does not apply or build, or its test is red without it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = "build/dev"
RED_SECONDS = 600


@dataclass(frozen=True)
class Plant:
    name: str
    path: Path
    what: str
    targets: tuple
    reds: tuple


def read(path):
    fields = {"Planted": [], "Targets": [], "Red": []}
    for line in path.read_text().splitlines():
        if line.startswith("diff --git "):
            break
        name, separator, value = line.partition(": ")
        if separator and name in fields:
            fields[name].append(value.strip())
    return Plant(path.stem, path, " ".join(fields["Planted"]), tuple(" ".join(fields["Targets"]).split()), tuple(fields["Red"]))


def plants(names=()):
    found = {path.stem: read(path) for path in sorted(HERE.glob("*.patch"))}
    if unknown := set(names) - set(found):
        sys.exit(f"no such bugs: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    return [found[name] for name in names or found]


class Copy:
    """The tree and its build elsewhere; `run` shows it at the tree's own path."""

    def __init__(self, directory):
        self.directory = directory
        if any(directory.iterdir()):
            return
        ignored = shutil.ignore_patterns(".git", "build", "__pycache__")
        shutil.copytree(ROOT, directory, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        # As cp, which keeps the times that ninja goes by.
        (directory / "build").mkdir()
        subprocess.run(["cp", "-a", "--reflink=auto", ROOT / BUILD, directory / BUILD], check=True)
        for leftover in ("bin/system-tests", "run"):
            shutil.rmtree(directory / BUILD / leftover, ignore_errors=True)

    def run(self, command, seconds=None):
        """(exit code, output)"""
        script = 'mount --make-rprivate / && mount --bind "$0" "$1" && cd "$1" && export PATH="$1/$2/bin:$PATH" KEYFERRY_BIN="$1/$2/bin" && exec setpriv --pdeathsig KILL bash -c "$3"'
        try:
            result = subprocess.run(["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "bash", "-c", script, self.directory, ROOT, BUILD,
                                     command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as expired:
            return 124, (expired.stdout or b"").decode(errors="replace")
        return result.returncode, result.stdout.decode(errors="replace")

    def apply(self, plant, *options):
        return subprocess.run(["git", "apply", *options, plant.path], cwd=self.directory, env={**os.environ, "GIT_DIR": "/nonexistent"},
                              capture_output=True, text=True, check=False)

    def build(self, targets, planted=False):
        # A run that was killed may have left in ccache, under the patched source, what was compiled when the source was mended again.
        return self.run(f"{'CCACHE_RECACHE=1 ' if planted else ''}ninja -C {BUILD} {' '.join(targets)}")


class Invalid(Exception):
    pass


def catches(copy, plant, green):
    """What caught it, or nothing. `green`: commands that succeeded without it."""
    for command in plant.reds:
        if command in green:
            continue
        code, output = copy.build(plant.targets)
        if code == 0:
            code, output = copy.run(command, RED_SECONDS)
        if code != 0:
            raise Invalid(f"without the bug `{command}` fails, too:\n{output[-3000:]}")
        green.add(command)
    if (applied := copy.apply(plant)).returncode != 0:
        raise Invalid(f"the patch does not apply:\n{applied.stderr}")
    try:
        code, output = copy.build(plant.targets, planted=True)
        if code != 0:
            raise Invalid(f"it does not build:\n{output[-3000:]}")
        return [command for command in plant.reds if copy.run(command, RED_SECONDS)[0] != 0]
    finally:
        copy.apply(plant, "--reverse")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--keep", action="store_true", help="leave the copy, for a look at it")
    parser.add_argument("--copy", type=Path, help="go on with what --keep left")
    options = parser.parse_args()
    chosen = plants(options.names)
    directory = (options.copy or Path(tempfile.mkdtemp(prefix="planted-", dir=ROOT / "build"))).resolve()
    copy = Copy(directory)
    green, counts = set(), {"caught": 0, "missed": 0, "invalid": 0}
    try:
        for plant in chosen:
            begin = time.monotonic()
            try:
                caught = catches(copy, plant, green)
                outcome = "caught" if len(caught) == len(plant.reds) else "missed"
                told = f"by {'; '.join(caught)}" if caught else "by nothing"
            except Invalid as invalid:
                outcome, told = "invalid", str(invalid)
            counts[outcome] += 1
            print(f"{plant.name}: {outcome} {told} ({time.monotonic() - begin:.0f} s)", flush=True)
    finally:
        if options.keep or options.copy:
            print(f"the copy: {directory}")
        else:
            shutil.rmtree(directory)
    print(f"planted: {counts['caught']} of {len(chosen)} caught, {counts['missed']} missed, {counts['invalid']} invalid")
    return 3 if counts["invalid"] else 1 if counts["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
