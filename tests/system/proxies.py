"""Stock proxies in front of a system, started from the configurations of deploy/ with nothing but names, ports and paths replaced."""

import socket
import subprocess
from pathlib import Path

from harness import DIE_WITH_PARENT, ROOT, SystemFailure, free_port, wait_for


class Proxy:
    """One proxy process: `command` gets the adapted configuration's path as its last argument. What `replacements` answers
    for its port must all be there. Two proxies of one configuration have names."""

    def __init__(self, system, configuration, command, replacements, name=None):
        name = name or Path(configuration).stem
        self.port = free_port()
        system._issue("public", "spiffe://keyferry.dev/public", "DNS:localhost", "IP:127.0.0.1")
        text = (ROOT / "deploy" / configuration).read_text()
        for old, new in {**replacements(self.port), "/etc/keyferry/tls": str(system.certificates)}.items():
            if old not in text:
                raise SystemFailure(f"deploy/{configuration} does not say {old}")
            text = text.replace(old, new)
        self.configuration = system.directory / (name + Path(configuration).suffix)
        self.configuration.write_text(text)
        self.log = system.logs / f"{name}.log"
        self.command = [*map(str, command), str(self.configuration)]
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*DIE_WITH_PARENT, *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(self._answers, f"{self.command[0]} listens")
        except SystemFailure as failure:
            raise SystemFailure(f"{failure}\n{self.log.read_text(errors='replace')[-3000:]}") from None
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise SystemFailure(f"{self.command[0]} ended as it started")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
