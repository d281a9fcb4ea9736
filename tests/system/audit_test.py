"""The audit trail of the real binaries: what is recorded, what is never, and that nothing in it can be changed unseen."""

import json
import re
import signal
import threading
import time
import unittest

from case import SystemTest
from grpc_stubs import Stubs, grpc
from harness import ROOT, System, wait_for

# RPCs that change nothing, besides those whose names say so. Sync's deliveries and refusals are recorded, but not as changes.
NO_CHANGE = {"Organizations/WhoAmI", "Provisioning/Sync", "Enrollment/BeginEnrollment", "Enrollment/BeginSealingKeyChange"}
READING = ("Get", "List", "Watch", "Wait")
CANARY = "canary-3f9a1c77d2e84b06"


def changing_rpcs():
    """From the access table, so that a new RPC is in one of the two lists."""
    table = (ROOT / "services/api/access_policy.cc").read_text()
    methods = re.findall(r'^    \{"(\w+/\w+)", Scope::', table, re.M)
    return {method for method in methods if method not in NO_CHANGE and not method.split("/")[1].startswith(READING)}


class AuditCase(SystemTest):
    regions = ("us-west",)

    @classmethod
    def new_system(cls):
        cls.sink = cls.directory / "audit"
        cls.backups = cls.directory / "backups"
        return System(cls.directory, cls.regions, cls.log_level, api_flags=(
            "--audit-directory", cls.sink, "--backup-directory", cls.backups, "--backup-interval", "0", "--region-certificate-ttl", "12s"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = cls.system.operator()

    def records(self, organization=None):
        names = ("--organization", organization) if organization else ()
        return self.operator.json("admin", "audit", "list", *names)["records"]

    def await_record(self, organization=None, **fields):
        """The first one with these fields, once it is chained."""
        def find():
            return next((each for each in self.records(organization) if all(each[name] == value for name, value in fields.items())), None)
        return wait_for(find, f"a record with {fields}", 10, 0.1)

    def export(self, name, *arguments, user=None):
        path = self.directory / name
        path.unlink(missing_ok=True)
        (user or self.user).ok("admin", "audit", "export", "--to", str(path), *arguments)
        return path

    def public_key(self):
        path = self.export("key.jsonl")
        return json.loads(path.read_text().splitlines()[-1])["publicKey"]

    def verify(self, *arguments):
        return self.user.run("admin", "audit", "verify", *map(str, arguments))

    def assert_verified(self, *arguments):
        result = self.verify(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr.decode())
        return result

    def sink_files(self):
        return sorted(self.sink.glob("audit-*.jsonl"))

    def await_sink(self):
        """Until the second sink has what is recorded now."""
        number = len(self.records("acme"))
        wait_for(lambda: any(f'"organization":"acme","number":{number},' in path.read_text() for path in self.sink_files()), "the sink is up to date")


class AuditRecordsTest(AuditCase):
    def test_a_change_a_refusal_and_a_delivery_are_recorded_and_no_value_is(self):
        self.set("recorded", f"TOKEN={CANARY}")
        self.deploy("agent-1", "recorded")
        change = self.await_record("acme", method="SecretSets/SetSecrets", objectName="recorded")
        self.assertEqual((change["decision"], change["role"], change["objectKind"], change["region"], change["generation"]),
                         ("done", "admin", "secretSet", "us-west", 1))
        self.assertRegex(change["principal"], "^apiKey:")
        delivery = self.await_record("acme", decision="delivered", objectName="recorded")
        self.assertEqual((delivery["role"], delivery["region"], delivery["generation"]), ("provisioner", "us-west", 1))
        self.assertIn("/region/us-west/provisioner/", delivery["principal"])
        self.assertGreater(delivery["revision"], change["revision"])
        self.await_record("acme", decision="delivered", objectName="agent-1", objectKind="deployment")

        viewer = self.system.user(self.system.new_key("acme", "viewer"))
        self.assertEqual(viewer.run("secrets", "set", "recorded", f"TOKEN={CANARY}").returncode, 5)
        denied = self.await_record("acme", decision="denied", method="SecretSets/SetSecrets")
        self.assertEqual((denied["code"], denied["reason"], denied["role"], denied["revision"]), ("PERMISSION_DENIED", "PERMISSION_DENIED", "viewer", 0))
        stranger = self.system.user("kf_0000000000_" + "0" * 36)
        self.assertEqual(stranger.run("secrets", "list").returncode, 5)
        self.await_record(None, decision="denied", reason="UNAUTHENTICATED", role="")

        self.await_sink()
        for path in [self.export("all.jsonl"), *self.sink_files(), self.system.api.log]:
            self.assertNotIn(CANARY, path.read_text(), path)

    def test_an_admin_reads_its_own_chain_alone(self):
        key = self.system.new_organization("other")
        other = self.system.user(key, "other")
        wait_for(lambda: other.json("admin", "audit", "list")["records"], "other's first record")
        self.assertTrue(all(each["organization"] == "other" for each in other.json("admin", "audit", "list")["records"]))
        for organization in ("acme", "absent"):
            refused = other.run("admin", "audit", "list", "--organization", organization)
            self.assertEqual(refused.returncode, 1)
            self.assertIn("does not exist", refused.stderr.decode())
        member = self.system.user(self.system.new_key("other", "member"), "other")
        self.assertEqual(member.run("admin", "audit", "list").returncode, 5)

    def test_nothing_is_recorded_of_what_changed_nothing(self):
        self.set("still", "A=1")
        self.await_record("acme", decision="delivered", objectName="still")
        before = len(self.records("acme"))
        self.user.ok("secrets", "set", "still", "A=2", "--dry-run")
        self.user.ok("secrets", "list")
        self.set("moves", "A=1")
        self.await_record("acme", decision="delivered", objectName="moves")
        self.assertEqual({each["objectName"] for each in self.records("acme")[before:]}, {"moves"})


class AuditCoverageTest(AuditCase):
    def test_every_rpc_that_changes_something_is_recorded_with_its_object(self):
        self.set("covered", "A=1", "B=2")
        user, operator = self.user, self.operator
        user.ok("secrets", "unset", "covered", "A")
        user.ok("secrets", "rollback", "covered", "1")
        user.ok("secrets", "image-pull-secret", "pull", "registry.example.com", "user:token")
        user.ok("secrets", "wait", "covered")
        user.ok("deploy", "covered-agent", "image:1", "--secrets", "covered")
        user.ok("deploy", "covered-agent", "image:2", "--secrets", "covered")
        user.ok("agents", "delete", "covered-agent", "-s")
        user.ok("secrets", "delete", "pull", "-s")
        user.ok("orgs", "properties", "set", "--default-region", "us-west")
        key = user.json("keys", "create", "covered", "--role", "viewer")["id"]
        user.ok("keys", "revoke", key, "-s")
        operator.ok("regions", "resync", "us-west")
        operator.ok("regions", "create", "eu-1")
        operator.ok("regions", "token", "eu-1")
        operator.ok("regions", "revoke", "eu-1", "-s")
        operator.ok("admin", "keys", "rotate", "--organization", "acme")
        operator.ok("admin", "keys", "rotate", "--root")
        operator.ok("admin", "backup")
        self.elsewhere()
        # Last: while a region's sets are sealed to its new key, the gate refuses.
        self.system.provisioner_command("rotate-key", self.system.keyring("us-west"))
        self.system.provisioners["us-west"].send(signal.SIGHUP)
        self.await_record(None, method="Enrollment/CompleteSealingKeyChange")
        self.await_record(None, method="Enrollment/RenewCertificate")
        time.sleep(1)
        done = [each for name in (None, "acme", "gone") for each in self.records(name) if each["decision"] == "done"]
        recorded = {each["method"] for each in done}
        self.assertEqual(changing_rpcs() - recorded - self.missing, set(), "these changed something, or were not called, without a record")
        self.assertEqual([each for each in done if not each["objectKind"]], [], "these were recorded without what they changed")

    def elsewhere(self):
        """RPCs that no command, or none of this version, makes."""
        ports = self.system.settings["ports"]
        with Stubs(f"localhost:{ports['edge']}", self.system.ca, self.system.settings["api_key"]) as admin:
            deployment = {"agent": "stock-agent", "image": "image:1", "secretSet": "covered"}
            admin.call("Deployments/CreateDeployment", {"deployment": deployment})
            admin.call("Deployments/UpdateDeployment", {"deployment": {**deployment, "image": "image:2"}})
            key = self.user.json("keys", "create", "rotated", "--role", "viewer")["id"]
            admin.call("Organizations/RotateApiKey", {"id": key, "overlap": "60s"})
        certificates = self.system.certificates
        credentials = (certificates / "operator.key").read_bytes(), (certificates / "operator.pem").read_bytes()
        with Stubs(f"localhost:{ports['inner']}", self.system.ca, client_credentials=credentials) as operator:
            operator.call("Organizations/UpdateQuota", {"organization": "acme", "maxSecretSets": 500})
            operator.call("Identities/RevokeIdentity", {"spiffeId": "spiffe://keyferry.dev/region/eu-1/provisioner/gone"})
            self.system.new_organization("gone")
            self.missing = self.unless_missing(operator, "Organizations/DeleteOrganization", {"organization": "gone", "confirmation": "gone"})

    @staticmethod
    def unless_missing(stubs, method, request):
        """The methods that this version does not have yet."""
        try:
            stubs.call(method, request)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                raise
            return {method}
        return set()


class AuditProofTest(AuditCase):
    def setUp(self):
        for number in range(4):
            self.set(f"proven-{number}", f"A={number}")
        self.await_record("acme", decision="delivered", objectName="proven-3")
        self.path = self.export("proof.jsonl")
        self.lines = self.path.read_text().splitlines()

    def tampered(self, lines):
        path = self.directory / "tampered.jsonl"
        path.write_text("".join(line + "\n" for line in lines))
        return path

    def assert_found(self, number, *arguments):
        result = self.verify(*arguments)
        error = result.stderr.decode()
        self.assertEqual(result.returncode, 1, error)
        self.assertIn(f"record {number}:", error)

    def test_an_export_is_verified_offline(self):
        key = self.public_key()
        self.system.api.hold()
        try:
            self.assert_verified(self.path, "--public-key", key)
        finally:
            self.system.api.release()

    def test_an_export_overwrites_nothing(self):
        before = self.path.read_bytes()
        self.refused(2, "overwrites nothing, name another file", "admin", "audit", "export", "--to", str(self.path))
        self.assertEqual(self.path.read_bytes(), before)

    def test_what_was_tampered_with_is_found_by_its_number(self):
        head = len(self.lines) - 1
        edited = self.lines.copy()
        edited[3] = re.sub('"objectName":"[^"]*"', '"objectName":"innocent"', edited[3])
        self.assert_found(4, self.tampered(edited))
        self.assert_found(4, self.tampered(self.lines[:3] + self.lines[4:]))
        self.assert_found(4, self.tampered([*self.lines[:3], self.lines[4], self.lines[3], *self.lines[5:]]))
        self.assert_found(4, self.tampered([*self.lines[:4], *self.lines[3:]]))
        self.assert_found(head - 1, self.tampered([*self.lines[:head - 2], self.lines[head]]))
        self.assert_found(1, self.tampered(self.lines[2:]))

    def test_a_file_cut_off_with_its_head_is_found_by_a_later_head(self):
        head = self.directory / "head.jsonl"
        head.write_text(self.lines[-1] + "\n")
        cut = self.tampered(self.lines[:5])
        self.assert_verified(cut)
        self.assert_found(6, cut, "--expect-head", head)
        # The second sink is such an elsewhere.
        self.await_sink()
        wait_for(lambda: any('"kind":"head","organization":"acme"' in path.read_text() for path in self.sink_files()), "a head of acme in the sink", 15)

    def test_a_chain_that_another_key_signed_is_refused(self):
        self.assert_verified(self.path, "--public-key", self.public_key())
        result = self.verify(self.path, "--public-key", "A" * 43 + "=")
        self.assertEqual(result.returncode, 1)

    def test_records_behind_the_last_head_count_only_where_they_are_accepted(self):
        self.set("behind", "A=1")
        self.await_record("acme", objectName="behind", decision="delivered")
        later = self.export("later.jsonl").read_text().splitlines()
        tail = self.tampered([*self.lines, *later[len(self.lines) - 1:-1]])
        key = self.public_key()
        self.assert_found(len(self.lines), tail, "--public-key", key)
        self.assert_verified(tail, "--public-key", key, "--accept-unsigned-tail")

    def test_a_part_is_verified_where_its_start_is_accepted(self):
        part = self.export("part.jsonl", "--since-number", "4")
        self.assert_found(1, part)
        self.assert_verified(part, "--accept-start")


class AuditCrashTest(AuditCase):
    def test_the_trail_is_whole_after_kills_in_the_middle_of_writes(self):
        acknowledged = set()
        stopped = threading.Event()

        def write(number):
            count = 0
            while not stopped.is_set():
                count += 1
                if self.user.run("secrets", "set", f"crash-{number}", f"A={count}").returncode == 0:
                    acknowledged.add((f"crash-{number}", count))
        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(4):
            time.sleep(1)
            self.system.api.kill()
            self.system.api.start()
        time.sleep(1)
        stopped.set()
        for writer in writers:
            writer.join()
        self.system.api.kill()
        self.system.api.start()
        self.set("last", "A=1")
        self.await_record("acme", objectName="last")
        self.assert_verified(self.export("crash.jsonl"), "--public-key", self.public_key())
        changes = [each for each in self.records("acme") if each["method"] == "SecretSets/SetSecrets" and each["decision"] == "done"]
        self.assertEqual(len({each["revision"] for each in changes}), len(changes), "a change was recorded twice")
        sets = {each["name"]: each["generation"] for each in self.sets(self.user.json("secrets", "list"))}
        for name, generation in sets.items():
            recorded = {each["generation"] for each in changes if each["objectName"] == name}
            self.assertEqual(recorded, set(range(1, generation + 1)), name)
        self.assertTrue(acknowledged)
        self.await_sink()
        self.assert_verified(*self.sink_files())

    def test_a_file_of_the_second_sink_that_is_deleted_is_told_of_and_written_again(self):
        self.set("sunk", "A=1")
        self.await_sink()
        for path in self.sink_files():
            path.unlink()
        self.await_record(None, reason="AUDIT_FILE_DELETED")
        self.set("sunk", "A=2")
        self.await_record("acme", objectName="sunk", generation=2, decision="delivered")
        self.await_sink()
        self.assert_verified(*self.sink_files())


if __name__ == "__main__":
    unittest.main(verbosity=2)
