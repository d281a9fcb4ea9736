"""A value that goes through every RPC and every error path, at the highest log level, is nowhere but where it belongs."""

import contextlib
import secrets
import subprocess
import unittest
from pathlib import Path

from canaries import forms
from case import SystemTest
from harness import BIN, wait_for
from rest import RawConnection, Rest


class SentinelTest(SystemTest):
    log_level = "debug"

    @classmethod
    def setUpClass(cls):
        cls.outputs = []
        super().setUpClass()

    def setUp(self):
        self.sentinel = "sentinel" + secrets.token_hex(12)

    def run_cli(self, *arguments, user=None, **options):
        result = (user or self.user).run(*arguments, **options)
        self.assert_clean(result.stdout + result.stderr, f"output of {arguments[:2]}")
        return result.returncode

    def assert_clean(self, content, where):
        for form in forms(self.sentinel.encode()):
            self.assertNotIn(form, content, f"the sentinel is in {where}")

    def assert_files_clean(self, *sinks):
        """Every file of the system, raw: stores, logs, settings, whatever else is there; but for the sinks."""
        count = 0
        for parent in (self.system.directory, self.system.volatile):
            for path in parent.rglob("*"):
                if path.is_file() and not any(sink in path.parents for sink in sinks):
                    self.assert_clean(path.read_bytes(), path)
                    count += 1
        self.assertGreater(count, 20)

    def test_through_every_rpc_and_error(self):
        value = self.sentinel
        pair, pull = f"KEY={value}", f"robot:{value}"
        run = self.run_cli
        self.assertEqual(run("secrets", "set", "hidden", pair, "OTHER=1", "--wait"), 0)
        self.assertEqual(run("secrets", "image-pull-secret", "hidden-pull", "registry.example", pull, "--wait"), 0)
        self.assertEqual(run("deploy", "agent", "image:1", "--secrets", "hidden", "--credentials", "hidden-pull", "--wait"), 0)
        self.assertEqual(run("run", "--agent", "agent", "--", "/bin/true"), 0)
        file = self.directory / "sentinel.env"
        refusals = [
            ("secrets", "set", "hidden", pair, "--region", "us-east"), ("secrets", "set", "hidden-pull", pair),
            ("secrets", "set", "hidden", pair, "--etag", "old"), ("secrets", "set", "UPPER", pair),
            ("secrets", "set", "hidden", pair, "K" * 65 + "=" + value), ("secrets", "set", "hidden", pair, "bad.key=" + value),
            ("secrets", "set", "hidden", "KEY", value, value), ("secrets", "set", "hidden", value), ("secrets", "set", "hidden", f"K.{value}"),
            ("secrets", "set", "hidden", pair, "--region", "mars"), ("secrets", "set", "hidden", pair, pair),
            ("secrets", "image-pull-secret", "hidden", "registry.example", pull),
            ("secrets", "image-pull-secret", "hidden-pull", "registry.example", value + "!"),
            ("secrets", "image-pull-secret", "hidden-pull", "bad host", pull),
            ("secrets", "set", "hidden", "--file", str(file)),
            ("secrets", "rollback", "hidden", "77"), ("secrets", "delete", "hidden"), ("secrets", "unset", "hidden", "UNKNOWN"),
            ("deploy", "agent", "image:1", "--secrets", "hidden", "--require", "MORE"),
            ("run", "--agent", "agent", "--", f"/no/such/{secrets.token_hex(4)}"),
        ]
        file.write_text(f"BROKEN='{value}\n")
        for arguments in refusals:
            with self.subTest(arguments[:3]):
                self.assertNotEqual(run(*arguments), 0)
        file.unlink()
        self.assertNotEqual(run("secrets", "set", "hidden", "--from-stdin", "KEY", stdin=(value * 4000).encode()), 0)
        self.assertNotEqual(run("secrets", "set", "hidden", "--from-stdin", "KEY", stdin=value.encode() + b"\0"), 0)
        viewer = self.system.user(self.system.new_key("acme", "viewer"))
        self.assertEqual(run("secrets", "set", "hidden", pair, user=viewer), 5)
        self.assertNotEqual(run("secrets", "set", "hidden", pair, user=self.system.user(value)), 0)
        for arguments in (("secrets", "set", "hidden", pair, "--dry-run"), ("secrets", "set", "hidden", "KEY=2"),
                          ("secrets", "rollback", "hidden", "1"), ("secrets", "history", "hidden"), ("secrets", "list"),
                          ("secrets", "list", "hidden"), ("-o", "json", "secrets", "list", "hidden"), ("agents", "list"),
                          ("-o", "yaml", "agents", "show", "agent"), ("secrets", "unset", "hidden", "OTHER"),
                          ("secrets", "wait", "hidden")):
            with self.subTest(arguments[:3]):
                self.assertEqual(run(*arguments), 0)
        self.restart_everything()
        sink = self.system.files("us-west")
        self.assert_files_clean(sink)
        self.assertEqual((sink / "sets/acme/hidden/KEY").read_text(), value)
        self.assertEqual(run("agents", "delete", "agent"), 0)
        for name in ("hidden", "hidden-pull"):
            self.assertEqual(run("secrets", "delete", name), 0)
            self.wait_files(name, {})
        self.assert_files_clean()

    def send(self, client, method, path, *arguments, **options):
        reply = client.send(method, path, *arguments, **options)
        self.assertLess(reply.status, 500, reply)
        self.assert_clean(reply.body + repr(reply.headers).encode(),
                          f"the answer to {method} {path.replace(self.sentinel, '...')}: {reply.status}")
        return reply.status

    def refused_over_rest(self, client):
        """The sentinel in every part of a request that can be wrong. Where a name stands that an error must tell, what is none."""
        hidden, path = self.sentinel, "/v1/secrets/hidden-rest"
        whole = {"secretKey": "KEY", "secretValue": hidden}
        for body in ({"secrets": [{"secretKey": hidden + "!", "secretValue": hidden}]}, {"secrets": [whole, whole]},
                     {"secrets": hidden},
                     {"secrets": [hidden]}, {"secrets": [{**whole, hidden: 1}]}, {"secrets": [whole], f"{hidden}_x": hidden},
                     {hidden: hidden},
                     {"secrets": [whole], "region": hidden + "!"}, {"secrets": [whole], "name": hidden},
                     {"secrets": [whole], "validateOnly": hidden},
                     {"secrets": [{"secretKey": "KEY", "secretValue": hidden + "\0"}]},
                     {"secrets": [{"secretKey": "KEY", "secretValue": hidden * 2100}]},
                     {"isImagePullSecret": True, "host": "registry.example", "secretValue": hidden},
                     {"isImagePullSecret": True, "host": f"{hidden}@registry", "secretValue": f"robot:{hidden}"},
                     {"isImagePullSecret": hidden, "secretKey": "KEY", "secretValue": hidden}, [hidden], hidden):
            with self.subTest(str(body).replace(hidden, "...")[:120]):
                self.assertEqual(self.send(client, "PUT", path, body), 400)
        garbage = f'{{"secrets": [{{"secretKey": "KEY", "secretValue": "{hidden}'
        for raw in (hidden, garbage, garbage + '"]', garbage + "\n", garbage + "\\q", garbage + '" ' + hidden, f"{{{hidden}: 1}}",
                    f"'{hidden}'",
                    f'{{"{hidden}": 1, "{hidden}": 2}}', garbage + '"}]}' + hidden, "[" * 20 + hidden):
            for content in (raw.encode(), raw.encode() + b"\xff"):
                self.assertEqual(self.send(client, "PUT", path, raw=content), 400)
        self.assertEqual(self.send(client, "PUT", path, whole, headers={"Content-Type": f"text/{hidden}"}), 415)
        for headers in ({"If-Match": f'"{hidden}", "{hidden}"'}, {"Idempotency-Key": hidden * 3}, {"If-Match": f"W/{hidden}"}):
            self.assertEqual(self.send(client, "PUT", path, {"secrets": [whole]}, headers=headers), 400)
        self.assertEqual(self.send(client, "PUT", path, {"secrets": [whole]}, headers={"If-Match": hidden}), 409)
        self.assertEqual(self.send(client, "PATCH", "/v1/properties", {f"{hidden}_x": hidden}), 400)
        self.assertEqual(self.send(client, "PATCH", "/v1/properties", {"defaultRegion": hidden + "!"}), 400)
        self.assertEqual(self.send(client, "POST", "/v1/apiKeys", {"name": "ci", "type": hidden}), 400)
        self.assertEqual(self.send(client, "POST", "/v1/agents", {"serviceName": hidden + "!", "image": "image:1"}), 400)
        self.assertEqual(self.send(client, "POST", "/v1/agents", {"serviceName": "agent", "image": [hidden]}), 400)
        for target, status in ((f"/v1/secrets?region={hidden}!", 400), (f"/v1/secrets?wait={hidden}", 400),
                               (f"/v1/{hidden}", 404),
                               (f"/{hidden}/secrets", 404), (f"/v1/secrets/hidden-rest?wait={hidden}", 400),
                               (f"/v1/secrets/{hidden}!", 400),
                               (f"/v1/secrets/{hidden}%00", 400), (f"/v1/secrets/hidden-rest?timeout={hidden}", 400),
                               (f"/v1/secrets/{hidden}!/events", 400),
                               (f"/v1/organizations/{hidden}!/secrets", 404), (f"/v1/secrets/{hidden}%2", 400),
                               (f"/v1/secrets?{hidden}=%ff", 400),
                               (f"/v1/secrets?{hidden}=1", 400), (f"/v1/apiKeys?{hidden}", 400),
                               ("/v1/secrets/" + hidden * 200, 414)):
            with self.subTest(target.replace(hidden, "...")[:80]):
                found = self.send(client, "GET", target)
                self.assertIn(found, (status, 200) if "region=" in target else (status,))
        for value in (hidden, f"Bearer {hidden}", f"Bearer kf_0123456789_{hidden}", f"Basic {hidden}",
                      f"Bearer {hidden} {hidden}"):
            self.assertEqual(self.send(client, "GET", path, headers={"Authorization": value}), 401)
            self.assertEqual(self.send(client, "GET", "/v1/events", headers={"Authorization": value}), 401)
        self.assertEqual(self.send(client, hidden.upper(), path), 405)
        for headers in ({"X-Request-Id": f"{hidden} {hidden}"}, {"X-Request-Id": hidden * 3}, {"Accept": hidden},
                        {"User-Agent": hidden}, {hidden: hidden}):
            self.assertEqual(self.send(client, "GET", path, headers=headers), 200)

    def test_through_rest(self):
        """Accepted, refused and malformed requests of the gateway, by both of its doors."""
        key = self.system.settings["api_key"]
        for client in (Rest(self.system.plain_gateway_url, key), Rest(self.system.gateway_url, key, self.system.ca)):
            self.addCleanup(client.close)
            body = {"secrets": [{"secretKey": "KEY", "secretValue": self.sentinel}]}
            self.assertEqual(self.send(client, "PUT", "/v1/secrets/hidden-rest", body), 202)
            self.assertEqual(self.send(client, "GET", "/v1/secrets/hidden-rest?wait=ready"), 200)
            pull = {"isImagePullSecret": True, "host": "registry.example", "secretValue": f"robot:{self.sentinel}"}
            self.assertEqual(self.send(client, "PUT", "/v1/secrets/hidden-rest-pull", pull), 202)
            for path in ("/v1/secrets", "/v1/secrets/hidden-rest", "/v1/secrets/hidden-rest/generations", "/v1/agents",
                         "/v1/users", "/openapi.json"):
                self.assertEqual(self.send(client, "GET", path), 200)
            self.refused_over_rest(client)
            with client.events("/v1/events") as stream:
                while (event := stream.next()).name != "snapshot":
                    self.assert_clean(str(event).encode(), "an event")
            hidden = self.sentinel
            for raw in (hidden, f"GET /{hidden}\r\n\r\n", f"GET / {hidden}\r\n\r\n", f"GET / HTTP/1.1\r\n{hidden}\r\n\r\n",
                        f"PUT /v1/secrets/hidden-rest HTTP/1.1\r\nContent-Length: {hidden}\r\n\r\n",
                        f"{hidden} / HTTP/1.1\r\nHost: {hidden}\r\n\r\n",
                        f"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {hidden}\r\n\r\n{hidden}"):
                with RawConnection(client, 15) as connection:
                    connection.send(raw.encode())
                    if "\r\n\r\n" in raw:
                        reply = connection.read_reply()
                        self.assert_clean(reply.body + repr(reply.headers).encode(),
                                          f"the answer to {raw.replace(hidden, '...')}")
        with contextlib.closing(Rest(self.system.metrics_url)) as door:
            metrics = door.send("GET", "/metrics").body
        self.assertIn(b"keyferry_gateway_requests_total", metrics)
        self.assert_clean(metrics, "the metrics")
        self.system.gateway.stop()
        self.system.gateway.start()
        self.assert_files_clean(self.system.files("us-west"))
        for name in ("hidden-rest", "hidden-rest-pull"):
            self.assertEqual(self.run_cli("secrets", "delete", name), 0)
            self.wait_files(name, {})

    def restart_everything(self):
        """Recovery and shutdown log too."""
        for daemon in (self.system.api, self.system.provisioners["us-west"]):
            daemon.kill()
            daemon.start()
            daemon.stop()
            daemon.start()
        self.assertEqual(self.run_cli("secrets", "wait", "hidden"), 0)
        self.wait_files("hidden", {"KEY": self.sentinel.encode()})

    def test_an_api_key_is_in_no_log_and_no_store(self):
        self.sentinel = self.system.new_key("acme", "member").split("_")[2]
        user = self.system.user(f"kf_0000000000_{self.sentinel}")
        self.assertNotEqual(self.run_cli("secrets", "list", user=user), 0)
        self.assert_files_clean()

    def test_argv_is_overwritten_while_the_command_waits(self):
        self.system.provisioners["us-west"].hold()
        process = subprocess.Popen([BIN / "keyferry", "secrets", "set", "argv", f"KEY={self.sentinel}", "--wait=20s"],
                                   env=self.user.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: "argv" in self.names(), "the set is written")
            self.assert_clean(Path(f"/proc/{process.pid}/cmdline").read_bytes(), "argv")
        finally:
            self.system.provisioners["us-west"].release()
            self.assert_clean(process.communicate()[0], "output")

    def test_what_a_region_cannot_hold(self):
        """The region's error path: a keyring of another region opens nothing."""
        east = self.system.provisioners["us-east"]
        east.stop()
        keyring = self.system.directory / "us-east/keyring"
        own = keyring.read_bytes()
        keyring.write_bytes((self.system.directory / "us-west/keyring").read_bytes())
        east.start(wait=False)
        self.assertEqual(self.run_cli("secrets", "set", "unopened", f"KEY={self.sentinel}", "--region", "us-east"), 0)
        self.assertEqual(self.run_cli("secrets", "wait", "unopened", "--timeout", "2s"), 3)
        self.assert_files_clean()
        east.kill()
        keyring.write_bytes(own)
        east.start()
        self.assertEqual(self.run_cli("secrets", "wait", "unopened"), 0)
        self.assert_files_clean(self.system.files("us-east"))


if __name__ == "__main__":
    unittest.main()
