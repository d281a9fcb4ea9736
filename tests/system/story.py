"""The life of a secret, told with the CLI. quickstart.py prints it, story_test.py listens in silence; every step is asserted."""

import base64
import json
import shlex

from harness import wait_for

SHOW = "import os; print(os.environ.get('GREETING'), '|', os.environ.get('API_TOKEN'))"


class Teller:
    """Runs each command as a user in a shell would, and checks what it did."""

    def __init__(self, system, write=lambda text: None):
        self.system = system
        self.user = system.user()
        self.write = write

    def say(self, text):
        self.write(f"\n# {text}\n")

    def run(self, *arguments, exit_code=0, shows=(), hides=()):
        """Asserts the exit code and that the output shows these and hides those; answers the output."""
        self.write("$ " + shlex.join(["keyferry", *arguments]) + "\n")
        result = self.user.run(*arguments)
        output = (result.stdout + result.stderr).decode()
        self.write(output)
        if result.returncode != exit_code:
            raise AssertionError(f"exit code {result.returncode} instead of {exit_code}: {output}")
        if exit_code:
            self.write(f"(exit code {exit_code})\n")
        for text in shows:
            assert text in output, f"{text!r} is not in {output!r}"
        for text in hides:
            assert text not in output, f"{text!r} is in {output!r}"
        return output

    def curl(self, path, *options, shows=(), hides=()):
        """The key goes in by standard input, so that no process list shows it."""
        command = " ".join(["curl -sS --cacert $KEYFERRY_CA_FILE -H @-", *options, f"$KEYFERRY_GATEWAY_URL{path}",
                            '<<< "Authorization: Bearer $KEYFERRY_API_KEY"'])
        self.write(f"$ {command}\n")
        output = self.user.shell(command)
        self.write(output + "\n")
        for text in shows:
            assert text in output, f"{text!r} is not in {output!r}"
        for text in hides:
            assert text not in output, f"{text!r} is in {output!r}"

    def see(self, path, expected):
        """A file of the region, through the eyes of an agent host; None: it is gone."""
        wait_for(lambda: (path.read_bytes() if path.exists() else None) == expected, f"{path} holds what was written", 15)
        if expected is None:
            self.write(f"$ cat {path}\ncat: {path}: No such file or directory\n")
        else:
            self.write(f"$ cat {path}\n{expected.decode()}\n")

    def see_environment(self, expected):
        self.run("run", "--agent", "my-agent", "--", "python3", "-c", SHOW, shows=[expected])


def tell(system, write=lambda text: None):
    teller = Teller(system, write)
    files = system.files("us-west") / "sets/acme"
    provisioner = system.provisioners["us-west"]
    for leftover in (("agents", "delete", "my-agent"), ("secrets", "delete", "my-secrets"), ("secrets", "delete", "my-registry")):
        teller.user.run(*leftover)
    try:
        _secret_set(teller, provisioner, files / "my-secrets")
        _image_pull_secret(teller, provisioner, files / "my-registry")
        _over_rest(teller, files / "my-secrets")
    finally:
        provisioner.release()


def _secret_set(teller, provisioner, files):
    teller.say("Hold us-west's provisioner back (kill -STOP), so that we can watch a set being pending.")
    provisioner.hold()
    teller.say("Two keys, one atomic write. Accepted and durable; the region does not hold it yet.")
    teller.run("secrets", "set", "my-secrets", "GREETING=hello from us-west", "API_TOKEN", 'a"b\\c==d', shows=["pending"],
               hides=["hello from"])
    teller.say("A deploy is refused: conflict, not ready. Nothing that would fail later gets started.")
    teller.run("deploy", "my-agent", "registry.example/my-agent:0.1", "--secrets", "my-secrets", exit_code=3,
               shows=["SECRET_SET_PENDING"])
    teller.say("Let the provisioner go on (kill -CONT). It opens every value, applies it, reads it back and proves that to the API.")
    provisioner.release()
    teller.run("secrets", "wait", "my-secrets", shows=["ready"])
    teller.see(files / "GREETING", b"hello from us-west")
    teller.say("The gate is open.")
    teller.run("deploy", "my-agent", "registry.example/my-agent:0.1", "--secrets", "my-secrets", "--wait", shows=["ready"])
    teller.say("On an agent host the values are the process's environment, exactly as they were entered.")
    teller.see_environment('hello from us-west | a"b\\c==d')
    teller.say("A new value. The running deployment keeps the one it was deployed with ...")
    teller.run("secrets", "set", "my-secrets", "GREETING=good evening", "--wait", shows=["ready"])
    teller.see_environment("hello from us-west |")
    teller.say("... until it is deployed again.")
    teller.run("deploy", "my-agent", "registry.example/my-agent:0.1", "--secrets", "my-secrets", "--wait", shows=["ready"])
    teller.see_environment("good evening |")
    teller.say("Keys can be listed and removed; values are never shown.")
    teller.run("secrets", "list", "my-secrets", shows=["API_TOKEN", "GREETING"], hides=["good evening"])
    teller.run("secrets", "unset", "my-secrets", "API_TOKEN")
    teller.run("secrets", "wait", "my-secrets", shows=["ready"])
    teller.see(files / "API_TOKEN", None)
    teller.say("A set that a deployment binds is not deleted by accident.")
    teller.run("secrets", "delete", "my-secrets", exit_code=4, shows=["SECRET_SET_IN_USE", "bound by 1 deployment: my-agent"])
    teller.run("secrets", "delete", "my-secrets", "--force")
    teller.run("secrets", "list", "my-secrets", exit_code=1, shows=["SECRET_SET_NOT_FOUND"])
    teller.see(files / "GREETING", None)
    assert not files.exists(), f"{files} is still there"


def _over_rest(teller, files):
    teller.say("The same over REST, as Pipecat Cloud's clients speak it: written with the command line, seen with curl ...")
    teller.run("secrets", "set", "my-secrets", "GREETING=hello over REST", shows=["my-secrets"], hides=["hello over"])
    teller.curl("/v1/secrets/my-secrets?wait=ready", shows=['"status":"ready"', "GREETING"], hides=["hello over"])
    teller.see(files / "GREETING", b"hello over REST")
    teller.say("... and one more key, written with curl.")
    teller.curl("/v1/secrets/my-secrets", "-X PUT --json '{\"secrets\":[{\"secretKey\":\"VOLUME\",\"secretValue\":\"11\"}]}'",
                shows=['"status":"OK"', '"region":"us-west"'])
    teller.curl("/v1/secrets/my-secrets?wait=ready", shows=['"status":"ready"', "GREETING", "VOLUME"])
    teller.see(files / "VOLUME", b"11")


def _docker_config(credentials):
    auth = base64.b64encode(credentials.encode()).decode()
    return {"auths": {"registry.example/": {"auth": auth}}}


def _image_pull_secret(teller, provisioner, files):
    path = files / ".dockerconfigjson"
    teller.say("Image pull secrets go the same way: pending, refused, ready, a .dockerconfigjson in the region.")
    provisioner.hold()
    teller.run("secrets", "image-pull-secret", "my-registry", "registry.example", "robot:first-token", shows=["pending"],
               hides=["first-token"])
    teller.run("deploy", "my-agent", "registry.example/my-agent:0.1", "--credentials", "my-registry", exit_code=3,
               shows=["SECRET_SET_PENDING"])
    provisioner.release()
    teller.run("secrets", "wait", "my-registry", shows=["ready"])
    assert json.loads(path.read_bytes()) == _docker_config("robot:first-token")
    teller.see(path, path.read_bytes())
    teller.run("deploy", "my-agent", "registry.example/my-agent:0.1", "--credentials", "my-registry", "--wait", shows=["ready"])
    teller.say("The same command again replaces the credentials.")
    teller.run("secrets", "image-pull-secret", "my-registry", "registry.example", "robot:second-token", "--wait", shows=["ready"])
    assert json.loads(path.read_bytes()) == _docker_config("robot:second-token")
    teller.run("secrets", "delete", "my-registry", exit_code=4, shows=["SECRET_SET_IN_USE"])
    teller.run("secrets", "delete", "my-registry", "--force")
    teller.see(path, None)
    teller.run("agents", "delete", "my-agent")
