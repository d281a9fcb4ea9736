"""The public gRPC edge: the real nghttpx with deploy/nghttpx's configuration, in front of the edge door on a unix socket."""

import json
import os
import re
import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

from case import SystemTest
from grpc_stubs import Stubs, details
from harness import wait_for
from proxies import Proxy

SILENCE_SECONDS = 40
MESSAGE_LIMIT = 4 * 1024 * 1024
# Of one key.
WATCH_LIMIT = 32
ATTACK_SECONDS = 3
# Where nothing shields: these are sent within a tenth of a second, and cost the API seconds.
DIRECT_PAIRS = 10_000
SHIELDED_PAIRS = 1_000_000


def cpu_seconds(pid):
    """User and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid):
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class NghttpxTest(SystemTest):
    """us-west serves; us-east is held from the beginning, so that what waits for it waits."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.direct_cost = cls.attack(cls.system.settings["ports"]["edge"], DIRECT_PAIRS)
        cls.move_edge_to_socket()
        cls.nghttpx, cls.quiet = cls.new_proxy("nghttpx"), cls.new_proxy("quiet")
        cls.key = cls.system.settings["api_key"]
        cls.stubs = cls.new_stubs()
        cls.user = cls.through(cls.system.user())
        cls.begin_silence()

    @classmethod
    def move_edge_to_socket(cls):
        """A new API process, that also has not yet seen an attack."""
        api, cls.socket = cls.system.api, cls.system.volatile / "edge.sock"
        api.stop()
        api.command[api.command.index("--edge-listen") + 1] = f"unix:{cls.socket}"
        api.command += ["--edge-proxies", "unix"]
        api.start()

    @classmethod
    def new_proxy(cls, name):
        proxy = Proxy(cls.system, "nghttpx/nghttpx.conf", ["nghttpx", "--conf"], lambda port: {
            "frontend=0.0.0.0,8443": f"frontend=127.0.0.1,{port}", "/run/keyferry/edge.sock": str(cls.socket)}, name)
        cls.addClassCleanup(proxy.stop)
        return proxy.start()

    @classmethod
    def new_stubs(cls, proxy=None, key=None):
        stubs = Stubs(f"localhost:{(proxy or cls.nghttpx).port}", cls.system.ca, key or cls.key)
        cls.addClassCleanup(stubs.channel.close)
        return stubs

    @classmethod
    def through(cls, user):
        user.environment["KEYFERRY_ENDPOINT"] = f"127.0.0.1:{cls.nghttpx.port}"
        return user

    @classmethod
    def attack(cls, port, pairs, beside=lambda: None):
        """Runs the rapid-reset client to its end, and `beside` again and again until then; answers what it cost the API."""
        pid = cls.system.api.pid
        cpu, peak = cpu_seconds(pid), peak_megabytes(pid)
        script = Path(__file__).with_name("rapid_reset.py")
        with subprocess.Popen([sys.executable, script, str(port), cls.system.ca, str(ATTACK_SECONDS), str(pairs)],
                              stdout=subprocess.PIPE) as client:
            while client.poll() is None:
                beside()
                time.sleep(0.05)
            cost = json.loads(client.stdout.read())
        last = [cpu_seconds(pid)]
        # What was sent is still being worked on.
        def settled():
            time.sleep(0.3)
            last.append(cpu_seconds(pid))
            return last[-1] - last[-2] < 0.03
        wait_for(settled, "the API is done with the attack", 60)
        return {**cost, "cpu_seconds": round(last[-1] - cpu, 2), "megabytes": round(peak_megabytes(pid) - peak, 1)}

    # What takes 40 s goes on beside everything else, through a proxy of its own, so that its connections are really silent.

    @classmethod
    def begin_silence(cls):
        cls.user.ok("secrets", "set", "silent", "KEY=old", "--wait=30s")
        cls.user.ok("secrets", "set", "held", "KEY=value", "--region", "us-east", "--wait=30s")
        cls.system.provisioners["us-east"].hold()
        cls.user.ok("secrets", "set", "held", "KEY=newer")
        cls.waiting = cls.new_stubs(cls.quiet).future(
            "SecretSets/WaitUntilReady", {"secretSet": "held", "timeout": f"{SILENCE_SECONDS + 60}s"}, SILENCE_SECONDS + 90)
        cls.watch, cls.changes = cls.new_stubs(cls.quiet).stream("SecretSets/WatchSecretSets", {"secretSet": "silent"})
        while "snapshotComplete" not in next(cls.changes):
            pass
        cls.silent_since = time.monotonic()

    def test_z_a_watch_and_a_waiting_call_survive_forty_seconds_of_silence(self):
        """Last, by its name: the others fill the time."""
        time.sleep(max(0.0, self.silent_since + SILENCE_SECONDS - time.monotonic()))
        self.assertTrue(self.watch.is_active())
        self.assertFalse(self.waiting.done())
        self.user.ok("secrets", "set", "silent", "KEY=new")
        self.assertEqual(next(self.changes)["updated"]["generation"], "2")
        self.system.provisioners["us-east"].release()
        self.assertEqual(self.waiting.result().ready_generation, 2)
        self.watch.cancel()

    # Unary calls and their trailers.

    def test_the_command_line_cannot_tell_the_difference(self):
        self.set("plain", "KEY=value")
        self.deploy("plain-agent", "plain")
        self.assertEqual(self.environment("plain-agent", self.user), {"KEY": b"value"})
        self.refused(3, "SECRET_SET_PENDING", "deploy", "early", "image:1", "--secrets", "held", "--region", "us-east")
        self.refused(1, "SECRET_SET_NOT_FOUND", "secrets", "list", "absent")
        self.assertEqual(self.through(self.system.user(key="kf_bad")).run("secrets", "list").returncode, 5)

    def test_all_details_of_a_refusal_arrive(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.stubs.call("Deployments/CreateDeployment", {"deployment": {"agent": "early", "image": "image:1", "secretSet": "held"}})
        self.assertEqual(raised.exception.code(), grpc.StatusCode.ABORTED)
        found = details(raised.exception)
        self.assertEqual((found["ErrorInfo"].reason, found["ErrorInfo"].metadata["region"]), ("SECRET_SET_PENDING", "us-east"))
        self.assertEqual(found["RetryInfo"].retry_delay.seconds, 1)

    def test_cancelled_watches_are_given_up_by_the_api(self):
        """It counts the live ones of an organization: new ones are accepted again only when it saw that the old ones ended."""
        crowd = self.new_stubs(key=self.system.new_organization("crowd"))
        for _ in range(2):
            started = []
            wait_for(lambda: self.has_begun_all(crowd, started), "as many watches are accepted as there may be", 10)
            _, surplus = crowd.stream("SecretSets/WatchSecretSets", {})
            with self.assertRaises(grpc.RpcError) as raised:
                next(surplus)
            self.assertEqual(details(raised.exception)["ErrorInfo"].reason, "TOO_MANY_WATCHES")
            for call in started:
                call.cancel()

    def test_a_cancelled_call_ends_in_the_api(self):
        stubs, name = self.new_stubs(), f"cancelled-{self.dice.getrandbits(32)}"
        stubs.metadata = [*stubs.metadata, ("x-request-id", name)]

        def ended():
            """Once the call had arrived before it was cancelled."""
            call = stubs.future("SecretSets/WaitUntilReady", {"secretSet": "held", "timeout": "200s"}, 300)
            time.sleep(0.3)
            call.cancel()
            return re.search(rf'"code":"CANCELLED".*"{name}"', self.system.api.log.read_text())

        wait_for(ended, "the API's log says that the call was cancelled")

    @staticmethod
    def has_begun_all(stubs, started):
        """Adds watches to those that were started before, up to the limit; False when one is refused."""
        while len(started) < WATCH_LIMIT:
            call, changes = stubs.stream("SecretSets/WatchSecretSets", {})
            try:
                next(changes)
            except grpc.RpcError as refused:
                if details(refused)["ErrorInfo"].reason != "TOO_MANY_WATCHES":
                    raise
                return False
            started.append(call)
        return True

    # Sizes.

    @staticmethod
    def request_of(size):
        """So many bytes on the wire, and wrong for another reason than its size."""
        # Field 2, five bytes; and field 7 with a length of four bytes.
        request = {"secretSet": "sized", "requestId": "x" * (size - 2 - len("sized") - 1 - 4)}
        return request

    def test_a_request_of_four_mebibytes_arrives_and_one_more_byte_is_refused_by_the_api(self):
        for extra, code in ((0, grpc.StatusCode.INVALID_ARGUMENT), (1, grpc.StatusCode.RESOURCE_EXHAUSTED)):
            with self.subTest(extra), self.assertRaises(grpc.RpcError) as raised:
                self.stubs.call("SecretSets/SetSecrets", self.request_of(MESSAGE_LIMIT + extra))
            self.assertEqual(raised.exception.code(), code, raised.exception.details()[:200])

    def test_large_answers_arrive_whole(self):
        keys = [{"key": f"{i:064}", "value": "eA=="} for i in range(256)]
        names = [f"large-{i:02}" for i in range(60)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self.stubs.call("SecretSets/SetSecrets", {"secretSet": name, "entries": keys}), names))
        found, token, pages = {}, "", 0
        while pages == 0 or token:
            page = self.stubs.call("SecretSets/ListSecretSets", {"pageSize": 1000, "pageToken": token})
            found.update({each["name"]: each for each in page["secretSets"]})
            token, pages = page.get("nextPageToken", ""), pages + 1
        self.assertEqual([name for name in names if len(found[name]["keys"]) == 256], names)
        self.assertLess(pages, len(names) / 10, "pages are large")

    def test_metadata_beyond_the_limits_is_refused(self):
        for size, codes in ((6_000, {grpc.StatusCode.OK}), (12_000, {grpc.StatusCode.RESOURCE_EXHAUSTED}),
                            (60_000, {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL})):
            with self.subTest(size):
                self.assertIn(self.code_with_metadata(size), codes)

    def code_with_metadata(self, size):
        stubs = self.new_stubs()
        stubs.metadata = [*stubs.metadata, ("x-padding", "x" * size)]
        try:
            stubs.call("Regions/ListRegions")
            return grpc.StatusCode.OK
        except grpc.RpcError as error:
            return error.code()

    # Faults.

    def test_a_rapid_reset_costs_the_api_next_to_nothing_and_nobody_else_notices(self):
        answers = []

        def beside():
            answers.append(self.stubs.call("Regions/ListRegions", timeout=10))

        shielded = self.attack(self.nghttpx.port, SHIELDED_PAIRS, beside)
        self.assertGreater(len(answers), 0)
        self.assertTrue(all(len(answer["regions"]) == 2 for answer in answers))
        direct = self.direct_cost
        print(f"rapid reset, direct:   {direct}\nrapid reset, shielded: {shielded} beside {len(answers)} answered calls")
        print(f"API CPU, shielded ÷ direct: {shielded['cpu_seconds'] / max(direct['cpu_seconds'], 0.01):.3f}; "
              f"growth of its memory: {shielded['megabytes']} MB against {direct['megabytes']} MB")
        self.assertGreater(shielded["connections"], 1, "nghttpx cuts who resets that much")
        self.assertLess(shielded["cpu_seconds"], 0.5)
        self.assertLess(shielded["megabytes"], 32)

    def test_the_access_log_has_methods_and_nothing_of_the_caller(self):
        # Right after the rapid reset one call may end with INTERNAL.
        wait_for(lambda: self.user.run("whoami").returncode == 0, "nghttpx answers after the attack", 10)
        log = self.nghttpx.log.read_text()
        self.assertRegex(log, r"127\.0\.0\.1 POST /keyferry\.v1\.Organizations/WhoAmI 200 ")
        self.assertNotIn(self.key.split("_")[2], log)
        self.assertNotIn("authorization", log.lower())


class NghttpxRestartTest(SystemTest):
    """An API that is away, and that comes back."""

    regions = ("us-west",)

    def test_calls_are_unavailable_while_the_api_is_away_and_answered_soon_after(self):
        edge = self.system.settings["ports"]["edge"]
        nghttpx = Proxy(self.system, "nghttpx/nghttpx.conf", ["nghttpx", "--conf"], lambda port: {
            "frontend=0.0.0.0,8443": f"frontend=127.0.0.1,{port}",
            # The variant for an API on another machine.
            "unix:/run/keyferry/edge.sock;;proto=h2": f"127.0.0.1,{edge};;proto=h2;tls;sni=localhost\ncacert={self.system.ca}"}).start()
        self.addCleanup(nghttpx.stop)
        with Stubs(f"localhost:{nghttpx.port}", self.system.ca, self.system.settings["api_key"]) as stubs:
            stubs.call("Regions/ListRegions")
            self.system.api.kill()
            for _ in range(3):
                with self.assertRaises(grpc.RpcError) as raised:
                    stubs.call("Regions/ListRegions")
                self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.system.api.start()
            wait_for(lambda: self.answers(stubs), "nghttpx finds the API again", 10, 0.2)

    @staticmethod
    def answers(stubs):
        try:
            return stubs.call("Regions/ListRegions")
        except grpc.RpcError:
            return None


if __name__ == "__main__":
    unittest.main()
