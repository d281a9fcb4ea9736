"""One request, followed by its id: through the logs of gateway, API and provisioner into the audit record, and back to its caller in an error."""

import contextlib
import json
import re
import secrets
import unittest

from case import SystemTest
from harness import wait_for
from rest import Rest


class RequestIdTest(SystemTest):
    regions = ("us-west",)

    def lines(self, daemon, **fields):
        """Of its log, those with these fields."""
        found = []
        for line in daemon.log.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if all(entry.get(name) == value for name, value in fields.items()):
                    found.append(entry)
        return found

    def one_line(self, daemon, **fields):
        found = wait_for(lambda: self.lines(daemon, **fields), f"a line of {daemon.name} with {fields}", 15)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def record(self, **fields):
        def find():
            return [each for each in self.user.json("admin", "audit", "list")["records"]
                    if all(each[name] == value for name, value in fields.items())]
        found = wait_for(find, f"an audit record with {fields}", 15, 0.1)
        self.assertEqual(len(found), 1, found)
        return found[0]

    def follow(self, request_id, method, **applied):
        """The id is in the API's log, in the log of the provisioner that applied what was written, and in the audit record."""
        self.assertEqual(self.one_line(self.system.api, event="call", request_id=request_id, method=method)["code"], "OK")
        self.one_line(self.system.provisioners["us-west"], event="applied", request_id=request_id, **applied)
        record = self.record(requestId=request_id, decision="done")
        self.assertEqual((record["method"], record["objectName"]), (method, applied["object"]))

    def test_of_a_set_that_is_written_over_rest(self):
        ids = [f"trace-{secrets.token_hex(8)}" for _ in range(3)]
        with contextlib.closing(Rest(self.system.gateway_url, self.system.settings["api_key"], self.system.ca)) as client:
            body = {"secrets": [{"secretKey": "KEY", "secretValue": "value"}]}
            written = client.send("PUT", "/v1/secrets/over-rest", body, headers={"X-Request-Id": ids[0]})
            self.assertEqual((written.status, written.header("X-Request-Id")), (202, ids[0]))
            self.user.ok("secrets", "wait", "over-rest")
            deployed = client.send("POST", "/v1/agents", {"serviceName": "rest-agent", "image": "image:1", "secretSet": "over-rest"}, headers={"X-Request-Id": ids[1]})
            self.assertIn(deployed.status, (200, 201, 202), deployed)
            refused = client.send("GET", "/v1/secrets/absent", headers={"X-Request-Id": ids[2]})
            self.assertEqual((refused.status, refused.json["requestId"]), (404, ids[2]))
        for request_id in ids:
            self.one_line(self.system.gateway, event="request", request_id=request_id)
        self.follow(ids[0], "SecretSets/SetSecrets", object="over-rest")
        self.follow(ids[1], "Deployments/CreateDeployment", object="rest-agent")
        self.assertEqual(self.one_line(self.system.api, event="call", request_id=ids[2])["code"], "NOT_FOUND")

    def test_of_whatever_is_written_by_the_command_line(self):
        """It sends an id of its own with each call: 32 hexadecimal digits, nobody else's."""
        user, seen = self.user, set()
        for method, command, wait in (
                ("SecretSets/SetSecrets", ("secrets", "set", "by-hand", "A=1", "B=2"), True),
                ("SecretSets/SetSecrets", ("secrets", "set", "by-hand", "A=3"), True), ("SecretSets/UnsetSecret", ("secrets", "unset", "by-hand", "B"), True),
                ("SecretSets/RollbackSecretSet", ("secrets", "rollback", "by-hand", "1"), True),
                ("SecretSets/SetImagePullSecret", ("secrets", "image-pull-secret", "by-hand-pull", "registry.example", "user:token"), False),
                ("SecretSets/DeleteSecretSet", ("secrets", "delete", "by-hand", "-s"), False)):
            with self.subTest(command[:2]):
                user.ok(*command)
                record = wait_for(lambda method=method: next((each for each in user.json("admin", "audit", "list")["records"]
                                                              if each["method"] == method and each["requestId"] not in seen and each["decision"] == "done"
                                                              and each["objectName"].startswith("by-hand")), None),
                                  f"a record of {command[:2]}", 15, 0.1)
                self.assertRegex(record["requestId"], "^[0-9a-f]{32}$")
                seen.add(record["requestId"])
                self.follow(record["requestId"], method, object=record["objectName"])
                if wait:
                    user.ok("secrets", "wait", "by-hand")

    def test_an_error_shows_it(self):
        result = self.user.run("secrets", "list", "absent")
        found = re.search(r"^  requestId: ([0-9a-f]{32})$", result.stderr.decode(), re.M)
        self.assertTrue(found, result.stderr)
        call = self.one_line(self.system.api, event="call", request_id=found[1])
        self.assertEqual((call["method"], call["code"]), ("SecretSets/GetSecretSet", "NOT_FOUND"))
        viewer = self.system.user(self.system.new_key("acme", "viewer"))
        denied = viewer.run("secrets", "set", "denied", "KEY=value")
        request_id = re.search(r"requestId: ([0-9a-f]{32})", denied.stderr.decode())[1]
        self.assertEqual(self.record(requestId=request_id)["decision"], "denied")


if __name__ == "__main__":
    unittest.main()
