"""./dev up and ./dev down: the system under build/dev/run, and build/dev/env for the shell that uses it."""

import os
import shlex
import sys

from harness import BIN, ROOT, System, SystemFailure

RUN = ROOT / "build/dev/run"
ENV = ROOT / "build/dev/env"
# Longer than anybody leaves it down, since a certificate that expired is not renewed.
API_FLAGS = ("--region-certificate-ttl", "720h")
HELP = f"""\
# Source this: it makes `keyferry` an admin of acme, on an agent host of us-west.
# An agent host of us-east:          KEYFERRY_AGENT_SOCKET=$KEYFERRY_AGENT_SOCKET_US_EAST keyferry run ...
# The operator, on the inner door:   keyferry_operator regions list
# REST:  curl --cacert $KEYFERRY_CA_FILE -H @- $KEYFERRY_GATEWAY_URL/v1/secrets <<< "Authorization: Bearer $KEYFERRY_API_KEY"
# Pipecat Cloud's own client:  pip install pipecatcloud==0.6.0; pipecatcloud secrets list
"""


def environment(system):
    user, operator = system.user().environment, system.operator().environment
    values = {name: value for name, value in user.items() if name.startswith("KEYFERRY_")}
    # A published client knows the roots of its own installation alone, so it takes the plain door, which is loopback's.
    values |= {"PIPECAT_API_HOST": system.plain_gateway_url, "PIPECAT_TOKEN": values["KEYFERRY_API_KEY"], "PIPECAT_ORG": values["KEYFERRY_ORG"]}
    for region in system.regions:
        values["KEYFERRY_AGENT_SOCKET_" + region.upper().replace("-", "_")] = str(system.agent_socket(region))
    as_operator = [f"{name}={shlex.quote(value)}" for name, value in operator.items() if name.startswith("KEYFERRY_")]
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    lines.append(f'case ":$PATH:" in *:{shlex.quote(str(BIN))}:*) ;; *) export PATH={shlex.quote(str(BIN))}:"$PATH" ;; esac')
    lines.append(f'keyferry_operator() {{ env -u KEYFERRY_API_KEY -u KEYFERRY_ORG {" ".join(as_operator)} keyferry "$@"; }}')
    return HELP + "\n".join(lines) + "\n"


def up():
    system = System(RUN, lasting=True, api_flags=API_FLAGS)
    was_running = system.running
    system.start()
    ENV.unlink(missing_ok=True)
    with os.fdopen(os.open(ENV, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(environment(system))
    for daemon in system.daemons:
        print(f"{daemon.name}: pid {daemon.pid}, log {daemon.log}")
    print(f"{'up already' if was_running else 'up'}; source {ENV}")
    return system


def down():
    system = System(RUN, lasting=True, api_flags=API_FLAGS)
    if not system.settings:
        system.sweep()
    was_running = any(daemon.pid for daemon in system.daemons)
    for name in system.stop():
        print(f"{name} did not end on SIGTERM and was killed")
    ENV.unlink(missing_ok=True)
    print("down; its data is kept, ./dev up goes on with it" if was_running else "down already")


if __name__ == "__main__":
    try:
        {"up": up, "down": down}[sys.argv[1]]()
    except SystemFailure as failure:
        sys.exit(f"{failure}\nto begin anew, without this data: ./dev down; rm -r {RUN}")
