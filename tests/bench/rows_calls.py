"""Rows 1, 2, 4 and 5 of DESIGN.md section 13, and REST beside gRPC: single calls against an echo, or against what disk and wire cost."""

from measure import Row, Sample
from rig import BareStore

BOTH = (64, 256)


def in_turns(options, ours, reference, ratio):
    """One (ours, reference, ratio) a round; who goes first alternates, so that a drift of the machine favours neither."""
    turns = []
    for turn in range(options.rounds):
        first, second = (reference, ours) if turn % 2 == 0 else (ours, reference)
        samples = [first(), second()]
        mine, other = samples[::-1] if turn % 2 == 0 else samples
        turns.append((mine, other, ratio(mine, other)))
    return turns


def throughput(ours, reference):
    return ours.per_second / reference.per_second


def latency(ours, reference):
    return ours.p50_us / reference.p50_us


def against_echo(bench, mode, clients, ours="api"):
    return in_turns(bench.options, lambda: bench.sample(mode, ours, clients), lambda: bench.sample(mode, "echo", clients), throughput)


def gate(bench, report):
    for clients in BOTH:
        report.add(Row(f"1 deploy gate (validate_only) ÷ empty echo, {clients} clients", "≥ 0.95", against_echo(bench, "gate", clients),
                       reference_name="echo"))


def durable_set(bench, report):
    for clients in BOTH:
        report.add(Row(f"2 durable set (4 × 1 KiB), its region connected ÷ echo of the same size, {clients} clients", "≥ 0.60",
                       against_echo(bench, "set", clients), reference_name="echo"))
    bench.system.provisioners["us-west"].stop()
    for clients in BOTH:
        report.add(Row(f"2 the same, its region away: the durable write alone, {clients} clients", "≥ 0.60", against_echo(bench, "set", clients),
                       reference_name="echo"))
    bare_store(bench, report)
    bench.system.provisioners["us-west"].start()
    bench.wait_ready("bench-0")


def bare_store(bench, report):
    """What the goals are measured with: no product can be faster than the same bytes without anything of the product."""
    bare = BareStore(bench)
    try:
        for clients in BOTH:
            report.add(Row(f"2 the floor: a bare durable write of the same bytes ÷ echo, {clients} clients", "none", against_echo(bench, "set", clients, ours=bare),
                           reference_name="echo"))
        for clients in (1, *BOTH):
            turns = in_turns(bench.options, lambda clients=clients: bench.sample("set", "api", clients),
                             lambda clients=clients: bench.sample("set", bare, clients), throughput)
            report.add(Row(f"2 durable set, its region away ÷ the bare write, {clients} client{'s' if clients > 1 else ''}", "none", turns, reference_name="bare"))
    finally:
        bare.close()


def round_trip_and_commit(bench):
    round_trip = bench.sample("set", "echo", 1)
    return Sample(p50_us=round_trip.p50_us + bench.disk("commit", 1, 5, 1024)["p50_us"])


def set_latency(bench, report):
    turns = in_turns(bench.options, lambda: bench.sample("set", "api", 1), lambda: round_trip_and_commit(bench), latency)
    report.add(Row("4 durable set, 1 client, p50 ÷ (one round trip + one commit)", "≤ 1.2", turns, reference_name="round trip + commit"))
    bare = BareStore(bench)
    try:
        turns = in_turns(bench.options, lambda: bench.sample("set", bare, 1), lambda: round_trip_and_commit(bench), latency)
        report.add(Row("4 the floor: a bare durable write of the same bytes, likewise", "none", turns, reference_name="round trip + commit"))
    finally:
        bare.close()


def ready_latency(bench, report):
    def floor():
        round_trip = bench.sample("set", "echo", 1)
        return Sample(p50_us=3 * (round_trip.p50_us + bench.disk("fdatasync")["p50_us"]))
    turns = in_turns(bench.options, lambda: bench.sample("ready", "api", 1), floor, latency)
    report.add(Row("5 set → ready, 1 client, p50 ÷ 3 × (fdatasync + round trip)", "≤ 1.0", turns, reference_name="3 × (fdatasync + round trip)"))


def rest(bench, report):
    for mode in ("get", "gate", "set"):
        for clients in (1, 64):
            turns = in_turns(bench.options, lambda mode=mode, clients=clients: bench.sample(mode, "gateway", clients, program="rest_client"),
                             lambda mode=mode, clients=clients: bench.sample(mode, "api", clients), throughput)
            report.add(Row(f"R REST {mode} ÷ the same over gRPC, {clients} client{'s' if clients > 1 else ''}", "none", turns, "REST", "gRPC"))
