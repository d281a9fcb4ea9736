"""Row 3: durable writes and reads beside a single etcd node, on the same disk, with the same number of clients."""

import shutil

from measure import Row, Table
from rig import BareStore, Etcd, parse, run_program
from rows_calls import BOTH, in_turns, throughput

SET_BYTES = 4 * 1024


def commit_of_a_set(bench):
    """What one SetSecrets commits, from the store's log: rows, and bytes of keys and values."""
    bench.client("set", bench.api_address, 1, count=50)
    bench.system.api.stop()
    copy = bench.directory / "log-copy"
    shutil.copytree(bench.system.api_data / "db", copy / "db", ignore=shutil.ignore_patterns("LOCK"))
    bench.system.api.start()
    said = parse(run_program("store_tool", "commits", copy))
    shutil.rmtree(copy)
    # A write that is carried out again: the provisioner is back, not only the API.
    bench.client("ready", bench.api_address, 1, count=1)
    return said


def etcd(bench, report):
    commit = commit_of_a_set(bench)
    rows, size = round(commit["puts"] + commit["erases"]), round(commit["bytes"])
    report.add(Table("3 one SetSecrets of 4 × 1 KiB commits", ["rows put", "rows erased", "bytes of keys and values"],
                     [[f"{commit['puts']:.1f}", f"{commit['erases']:.1f}", f"{size:,}"]]))
    server = Etcd(bench.directory)
    try:
        for clients in BOTH:
            _against(bench, report, server, f"3 durable set, its region connected ÷ etcd transaction of {rows} rows, {size:,} bytes", "≥ 2.0", ("set", "txn"), clients,
                     rows=rows, bytes=size)
        bench.system.provisioners["us-west"].stop()
        for clients in BOTH:
            _against(bench, report, server, "3 the same, its region away: the durable write alone", "≥ 2.0", ("set", "txn"), clients, rows=rows, bytes=size)
        bare = BareStore(bench)
        try:
            for clients in BOTH:
                turns = in_turns(bench.options, lambda clients=clients: bench.sample("set", bare, clients),
                                 lambda clients=clients: bench.sample("txn", server, clients, program="etcd_client", rows=rows, bytes=size), throughput)
                report.add(Row(f"3 the floor: a bare durable write of the same bytes ÷ that transaction, {clients} clients", "none", turns, reference_name="etcd, in the clear"))
        finally:
            bare.close()
        bench.system.provisioners["us-west"].start()
        bench.client("ready", bench.api_address, 1, count=1)
        for clients in BOTH:
            _against(bench, report, server, "3 durable set ÷ etcd put of one row of 4 KiB", "none", ("set", "put"), clients, bytes=SET_BYTES)
        for clients in BOTH:
            _against(bench, report, server, "3 get a set ÷ etcd linearizable get of 4 KiB", "none", ("get", "get"), clients, bytes=SET_BYTES)
    finally:
        server.close()


def _against(bench, report, server, title, goal, modes, clients, **more):
    turns = in_turns(bench.options, lambda: bench.sample(modes[0], "api", clients),
                     lambda: bench.sample(modes[1], server, clients, program="etcd_client", **more), throughput)
    report.add(Row(f"{title}, {clients} clients", goal, turns, reference_name="etcd, in the clear"))
