#!/usr/bin/env python3
"""`./dev fuzz --coverage [--lines FILE]`: how many lines of each parser (parsers.txt) the committed corpora reach; --lines prints a file with its counts.

Exit code 1 if a parser is below 90 %.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUZZ = ROOT / "tests/fuzz"
BUILD = ROOT / "build/fuzz"
PROFILES = BUILD / "profiles"
GOAL = 90.0


def parsers():
    """File -> target."""
    lines = (FUZZ / "parsers.txt").read_text().splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def binary(target):
    return str(BUILD / "bin" / f"fuzz_{target}")


def profile_of(target):
    """Runs the target's committed corpus, each input once."""
    raw, merged = PROFILES / f"{target}.profraw", PROFILES / f"{target}.profdata"
    ran = subprocess.run([binary(target), "-runs=0", "-max_len=65536", "-timeout=20", str(FUZZ / "corpus" / target)], cwd=PROFILES,
                         env={**os.environ, "LLVM_PROFILE_FILE": str(raw)}, capture_output=True, text=True, errors="replace")
    if ran.returncode != 0:
        sys.exit(f"{target} does not bear its own corpus:\n{ran.stderr[-4000:]}")
    subprocess.run(["llvm-profdata-14", "merge", "-sparse", raw, "-o", merged], check=True)
    return str(merged)


def cover(target, profile, files):
    """(lines, reached) of each file."""
    told = subprocess.run(["llvm-cov-14", "export", "-summary-only", f"-instr-profile={profile}", binary(target), *[str(ROOT / file) for file in files]],
                          check=True, capture_output=True, text=True)
    summaries = {each["filename"]: each["summary"]["lines"] for each in json.loads(told.stdout)["data"][0]["files"]}
    return {file: (summaries[str(ROOT / file)]["count"], summaries[str(ROOT / file)]["covered"]) for file in files}


def main():
    known = parsers()
    PROFILES.mkdir(exist_ok=True)
    if sys.argv[1:2] == ["--lines"]:
        target = known[sys.argv[2]]
        subprocess.run(["llvm-cov-14", "show", f"-instr-profile={profile_of(target)}", binary(target), str(ROOT / sys.argv[2])], check=True)
        return 0
    rows = {}
    for target in sorted(set(known.values())):
        rows |= cover(target, profile_of(target), [file for file, its in known.items() if its == target])
    below = 0
    for file, target in known.items():
        lines, reached = rows[file]
        share = 100.0 * reached / lines
        below += share < GOAL
        print(f"{file:48} {target:16} {reached:4} of {lines:4} lines {share:6.1f} %{'' if share >= GOAL else '  below'}")
    lines, reached = (sum(column) for column in zip(*rows.values()))
    print(f"{len(rows)} parsers, {reached} of {lines} lines, {100.0 * reached / lines:.1f} %; {below} below {GOAL:.0f} %")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
