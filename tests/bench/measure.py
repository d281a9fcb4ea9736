"""What a benchmark measured, and how it is told: a Row compares ours with a reference, a Table shows how something grows."""

import dataclasses
import json
import math
import os
import statistics
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and kernel time of a process and its threads, from its start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def reset_peak(pid):
    """peak_bytes counts from here on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def written_bytes(pid):
    """Pages that the process made dirty, by the kernel's count."""
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        if line.startswith("write_bytes:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)


def directory_bytes(path):
    return sum(file.stat().st_blocks * 512 for file in Path(path).rglob("*") if file.is_file())


class Meter:
    """CPU of processes while a load runs."""

    def __init__(self, pids):
        self.pids = pids

    def __enter__(self):
        self.before = [cpu_seconds(pid) for pid in self.pids]
        return self

    def __exit__(self, *_):
        self.seconds = [cpu_seconds(pid) - before for pid, before in zip(self.pids, self.before)]


@dataclasses.dataclass
class Sample:
    """One run of one side. Times in microseconds; NaN: not measured."""

    per_second: float = math.nan
    p50_us: float = math.nan
    p99_us: float = math.nan
    p999_us: float = math.nan
    cpu_us: float = math.nan
    resident_mb: float = math.nan

    @classmethod
    def of(cls, said, cpu=math.nan, pid=None):
        """Of what a load program said and the CPU seconds that its server took."""
        calls = said.get("calls", 0)
        return cls(said.get("calls_per_second", said.get("per_second", said.get("events_per_second", math.nan))), said.get("p50_us", math.nan),
                   said.get("p99_us", math.nan), said.get("p999_us", math.nan), cpu * 1e6 / calls if calls else math.nan,
                   resident_bytes(pid) / 1e6 if pid else math.nan)


def median_sample(samples):
    return Sample(*(median([getattr(each, field.name) for each in samples]) for field in dataclasses.fields(Sample)))


def median(values):
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def number(value, digits=0):
    return "–" if math.isnan(value) else f"{value:,.{digits}f}"


def duration(micros):
    return "–" if math.isnan(micros) else f"{micros / 1000:.1f} ms" if micros >= 1000 else f"{micros:.0f} µs"


@dataclasses.dataclass
class Row:
    """`goal` is text such as `≥ 0.95`; `turns` are (ours, reference, ratio), one a round."""

    title: str
    goal: str
    turns: list
    ours_name: str = "ours"
    reference_name: str = "reference"

    @property
    def ratio(self):
        return median([ratio for _, _, ratio in self.turns])

    @property
    def spread(self):
        ratios = [ratio for _, _, ratio in self.turns]
        return min(ratios), max(ratios)

    @property
    def ours(self):
        return median_sample([each for each, _, _ in self.turns])

    @property
    def reference(self):
        return median_sample([each for _, each, _ in self.turns])

    def ratio_text(self):
        digits = 2 if self.ratio < 10 else 1
        return f"{self.ratio:.{digits}f} [{self.spread[0]:.{digits}f} .. {self.spread[1]:.{digits}f}]"

    def _cpu_factor(self):
        """Holds on a machine that others use too."""
        factor = self.ours.cpu_us / self.reference.cpu_us if self.reference.cpu_us else math.nan
        return "" if math.isnan(factor) else f" ({factor:.1f} × the reference's)"

    @staticmethod
    def _side(sample, cpu_note=""):
        parts = []
        if not math.isnan(sample.per_second):
            parts.append(f"{number(sample.per_second)}/s")
        latencies = [duration(each) for each in (sample.p50_us, sample.p99_us, sample.p999_us) if not math.isnan(each)]
        if latencies:
            parts.append(" / ".join(latencies))
        if not math.isnan(sample.cpu_us):
            parts.append(f"CPU {number(sample.cpu_us)} µs{cpu_note}")
        if not math.isnan(sample.resident_mb):
            parts.append(f"{number(sample.resident_mb)} MB")
        return ", ".join(parts) or "–"

    def text(self):
        return (f"{self.title:<70} {self.ratio_text():<22} goal {self.goal}\n"
                f"    {self.ours_name}: {self._side(self.ours, self._cpu_factor())}\n    {self.reference_name}: {self._side(self.reference)}")

    def markdown(self):
        return f"| {self.title} | {self.ratio_text()} | {self.goal} | {self._side(self.ours, self._cpu_factor())} | {self.reference_name}: {self._side(self.reference)} |"


@dataclasses.dataclass
class Figure:
    """One number with a goal: memory, a start."""

    title: str
    goal: str
    values: list
    unit: str
    note: str = ""

    def _value(self):
        digits = 2 if abs(median(self.values)) < 10 else 0
        spread = f" [{number(min(self.values), digits)} .. {number(max(self.values), digits)}]" if len(self.values) > 1 else ""
        return f"{number(median(self.values), digits)}{spread} {self.unit}"

    def text(self):
        return f"{self.title:<70} {self._value():<22} goal {self.goal}" + (f"\n    {self.note}" if self.note else "")

    def markdown(self):
        return f"| {self.title} | {self._value()} | {self.goal} | {self.note or '–'} | – |"


@dataclasses.dataclass
class Table:
    title: str
    columns: list
    lines: list

    def text(self):
        widths = [max(len(str(line[i])) for line in [self.columns, *self.lines]) for i in range(len(self.columns))]
        shown = ["  ".join(str(cell).rjust(width) for cell, width in zip(line, widths)) for line in [self.columns, *self.lines]]
        return "\n    ".join([self.title, *shown])

    def markdown(self):
        return "\n".join(["", f"**{self.title}**", "", f"| {' | '.join(self.columns)} |", "|" + "---|" * len(self.columns),
                          *(f"| {' | '.join(map(str, line))} |" for line in self.lines)])


class Report:
    """Tells each finding as it comes, on standard error where Markdown is wanted on standard output."""

    HEAD = "| row | ratio: median [least .. most] | goal | ours: per second, p50 / p99 / p999, server CPU a call, memory | reference |\n|---|---|---|---|---|"

    def __init__(self, show):
        self.show = show
        self.findings = []

    def add(self, finding):
        self.findings.append(finding)
        self.show(finding.text())

    def markdown(self):
        rows = [each.markdown() for each in self.findings if not isinstance(each, Table)]
        tables = [each.markdown() for each in self.findings if isinstance(each, Table)]
        return "\n".join([self.HEAD, *rows, *tables])

    def json(self, facts):
        def plain(finding):
            return {"kind": type(finding).__name__, **dataclasses.asdict(finding)}
        text = json.dumps({**facts, "findings": [plain(each) for each in self.findings]}, indent=1, ensure_ascii=False)
        return text.replace("NaN", "null")
