"""The published `pipecatcloud` command line and SDK, from the virtual environments that ./dev makes, and nothing else in their environment
than what tells them of our gateway."""

import json
import os
import pty
import re
import select
import subprocess
import time

from harness import ROOT, SystemFailure

SCREEN_COLUMNS = "300"
RUN_SECONDS = 90
# 1.4.0 installs no program of its own: it is a part of `pipecat`, which calls this.
AS_PLUGIN = "from pipecatcloud.cli.entry_point import entrypoint_cli_typer as run; run(prog_name='pipecat cloud')"
CALL_API = """
import asyncio, json, sys
from pipecatcloud.api import _API
from pipecatcloud._utils.deploy_utils import DeployConfigParams, ScalingParams
from pipecatcloud.exception import AgentStartError
async def call(name, arguments):
    api = _API(os_token)
    if name == "deploy":
        config = dict(arguments["deploy_config"])
        scaling = config.pop("scaling", {})
        arguments = {**arguments, "deploy_config": DeployConfigParams(**config, scaling=ScalingParams(**scaling))}
    try:
        return (await getattr(api, name)(**arguments))[0]
    except AgentStartError as error:
        return {"refused": api.error}
import os
os_token = os.environ["PIPECAT_TOKEN"]
print(json.dumps([asyncio.run(call(name, arguments)) for name, arguments in json.load(sys.stdin)]))
"""


class Screen:
    """What a command left on the screen, as one line, and its exit code."""

    def __init__(self, output, exit_code):
        self.raw = output
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode(errors="replace"))
        self.text = " ".join(re.sub(r"[╭╮╰╯│─┃━┏┓┗┛┡┩]", " ", text).split())
        self.exit_code = exit_code

    def __repr__(self):
        return f"exit code {self.exit_code}: {self.text}"


class PipecatClient:
    def __init__(self, version, url, key, organization, home, ca=None):
        self.version = version
        self.python = ROOT / f"build/dev/pipecat-{version}/bin/python"
        if not self.python.exists():
            raise SystemFailure(f"{self.python} is missing; ./dev build installs it")
        program = self.python.parent / "pipecatcloud"
        self.program = [program] if program.exists() else [self.python, "-c", AS_PLUGIN]
        home.mkdir(exist_ok=True)
        self.environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(home), "COLUMNS": SCREEN_COLUMNS,
            "PIPECAT_CONFIG_PATH": str(home / "pipecatcloud.toml"),
            "PIPECAT_API_HOST": url, "PIPECAT_TOKEN": key, "PIPECAT_ORG": organization,
            **({"SSL_CERT_FILE": str(ca)} if ca else {})}

    def run(self, *arguments, **environment):
        result = subprocess.run([*self.program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT,
                                cwd=self.environment["HOME"], env={**self.environment, **environment}, timeout=RUN_SECONDS,
                                check=False)
        return Screen(result.stdout, result.returncode)

    def answer(self, *arguments, prompt, keys):
        """Runs on a terminal and presses the keys once the prompt is there."""
        master, slave = pty.openpty()
        process = subprocess.Popen([*self.program, *arguments], stdin=slave, stdout=slave, stderr=slave,
                                   cwd=self.environment["HOME"],
                                   env={**self.environment, "TERM": "xterm", "LINES": "50"}, start_new_session=True)
        os.close(slave)
        output, end, pressed = b"", time.monotonic() + RUN_SECONDS, False
        try:
            while time.monotonic() < end:
                if not select.select([master], [], [], 0.2)[0]:
                    continue
                try:
                    output += os.read(master, 65536)
                except OSError:
                    break
                # The terminal is asked where its cursor is before anything is shown.
                if output.endswith(b"\x1b[6n"):
                    os.write(master, b"\x1b[1;1R")
                if not pressed and prompt.encode() in output:
                    pressed = True
                    os.write(master, keys)
            return Screen(output, process.wait(5))
        finally:
            process.kill()
            process.wait()
            os.close(master)

    def sdk(self, *calls):
        """The results of API calls from Python; {"refused": BODY} for one that the client's error came of."""
        result = subprocess.run([self.python, "-c", CALL_API], input=json.dumps(calls).encode(), capture_output=True,
                                cwd=self.environment["HOME"], env=self.environment, timeout=RUN_SECONDS, check=False)
        if result.returncode != 0:
            raise SystemFailure(f"{self.version}: {result.stderr.decode(errors='replace')[-2000:]}")
        return json.loads(result.stdout.splitlines()[-1])
