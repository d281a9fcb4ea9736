"""What is measured is what docs/metrics.md and docs/gateway.md say, it moves with what happens, and alerts, dashboard and runbooks fit it."""

import contextlib
import json
import re
import shutil
import subprocess
import time
import unittest
import urllib.request
from collections import defaultdict

from case import SystemTest
from harness import ROOT, System, wait_for
from rest import Rest

PAGE = (ROOT / "docs/metrics.md").read_text()
GATEWAY_PAGE = (ROOT / "docs/gateway.md").read_text()
RULES = ROOT / "deploy/prometheus/keyferry.rules.yaml"
DASHBOARD = ROOT / "deploy/grafana/keyferry.json"
NAME = re.compile(r"\bkeyferry_[a-z0-9_]+")
HISTOGRAM_PARTS = re.compile(r"_(?:bucket|sum|count)$")
SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
CERTIFICATE_LIFE = "12s"
# A region has to fall silent about an object for a minute, while it says everything else.
NOT_PROVOKED = {"keyferry_region_resent_objects_total"}


def documented(daemon):
    """Names with their labels, from docs/metrics.md."""
    section = PAGE.split(f"## {daemon}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`keyferry_.*?) \| (.*?) ?\| ", section, re.M)
    return {name: set(filter(None, re.split(r"[ ,]+", labels))) for names, labels in rows for name in NAME.findall(names)}


def documented_of_gateway():
    found = re.findall(r"`(keyferry_gateway_\w+)(?:\{([\w,]+)\})?`", GATEWAY_PAGE)
    return {name: set(filter(None, labels.split(","))) for name, labels in found}


def all_documented():
    return {**documented("keyferry-api"), **documented("keyferry-provisioner"), **documented_of_gateway()}


def families(text):
    return {HISTOGRAM_PARTS.sub("", name) if HISTOGRAM_PARTS.sub("", name) in all_documented() else name for name in NAME.findall(text)}


class Scrape:
    """The samples of one answer: by name, their labels and values."""

    def __init__(self, text):
        self.samples = defaultdict(list)
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            name, labels, value = SAMPLE.match(line).groups()
            self.samples[name].append((dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")), float(value)))

    def value(self, name, **labels):
        """The sum of the samples with these labels; 0 where there is none."""
        return sum(value for found, value in self.samples[name] if all(found.get(label) == text for label, text in labels.items()))


class DocumentsTest(unittest.TestCase):
    def test_alerts_and_dashboard_ask_for_documented_metrics_alone(self):
        for path in (RULES, DASHBOARD):
            asked = families(path.read_text())
            self.assertGreater(len(asked), 8, path)
            self.assertEqual(asked - set(all_documented()), set(), path)

    def test_every_alert_names_a_runbook_that_operations_md_has_and_is_named_there(self):
        text, page = RULES.read_text(), (ROOT / "docs/operations.md").read_text()
        alerts, runbooks = re.findall(r"- alert: (\w+)", text), re.findall(r"^ +runbook: (.+)$", text, re.M)
        self.assertEqual(len(alerts), len(runbooks))
        headings = set(re.findall(r"^### (.+)$", page, re.M))
        self.assertEqual(set(runbooks) - headings, set())
        self.assertEqual({alert for alert in alerts if alert not in page}, set(), "alerts that no runbook names")
        self.assertEqual(set(re.findall(r"\bKeyferry[A-Z]\w+", page)) - set(alerts), set(), "alerts that there are not")

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool_accepts_the_rules(self):
        result = subprocess.run(["promtool", "check", "rules", RULES], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_the_dashboard_is_json_with_a_unique_id_for_each_panel(self):
        ids = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"] if "id" in panel]
        self.assertEqual(len(ids), len(set(ids)))


class MeasuredSystem(System):
    def provisioner(self, region, number=1):
        daemon = super().provisioner(region, number)
        daemon.command += ["--metrics-listen", "127.0.0.1:0"]
        return daemon


class MetricsTest(SystemTest):
    @classmethod
    def new_system(cls):
        return MeasuredSystem(cls.directory, cls.regions, cls.log_level, api_flags=(
            "--metrics-listen", "127.0.0.1:0", "--region-certificate-ttl", CERTIFICATE_LIFE, "--backup-directory", cls.directory / "backups",
            "--backup-interval", "0"))

    @staticmethod
    def scrape(daemon):
        address = json.loads(daemon.ready_file.read_text())["metrics"]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            return Scrape(answer.read().decode())

    def api(self):
        return self.scrape(self.system.api)

    def west(self):
        return self.scrape(self.system.provisioners["us-west"])

    def await_value(self, scrape, wanted, name, **labels):
        wait_for(lambda: scrape().value(name, **labels) == wanted, f"{name}{labels or ''} is {wanted}", 15, 0.1)

    def make_everything_happen(self):
        """All that the pages have a metric for."""
        self.set("everything", "KEY=value")
        self.deploy("every-agent", "everything")
        self.system.operator().ok("admin", "backup")
        self.system.operator().ok("regions", "resync", "us-west")
        wait_for(lambda: self.west().value("keyferry_provisioner_renewals_total", result="renewed") > 0, "a certificate is renewed", 20, 0.2)
        with contextlib.closing(Rest(self.system.gateway_url, self.system.settings["api_key"], self.system.ca)) as client:
            self.assertEqual(client.send("GET", "/v1/secrets").status, 200)
            self.assertEqual(client.send("GET", "/v1/secrets/absent").status, 404)

    def test_every_documented_metric_is_there_and_no_other(self):
        self.make_everything_happen()
        for daemon, wanted in ((self.system.api, documented("keyferry-api")), (self.system.provisioners["us-west"], documented("keyferry-provisioner")),
                               (self.system.gateway, documented_of_gateway())):
            scrape, found = self.scrape(daemon), {}
            for name, samples in scrape.samples.items():
                if name.startswith("keyferry_"):
                    family = HISTOGRAM_PARTS.sub("", name) if HISTOGRAM_PARTS.sub("", name) in wanted else name
                    found.setdefault(family, set()).update(*(set(labels) - {"le"} for labels, _ in samples))
            for name in NOT_PROVOKED & set(wanted):
                found.setdefault(name, wanted[name])
            self.assertEqual(found, wanted, f"{daemon.name}: names with their labels")

    def test_no_label_holds_a_name_of_a_tenant(self):
        key = self.system.new_organization("zebra")
        zebra = self.system.user(key, "zebra")
        zebra.ok("secrets", "set", "zebra-set", "ZEBRA_KEY=zebra-value", "--wait=30s")
        zebra.ok("deploy", "zebra-agent", "zebra-image:1", "--secrets", "zebra-set", "--wait=30s")
        with contextlib.closing(Rest(self.system.gateway_url, key, self.system.ca)) as client:
            for path in ("/v1/secrets/zebra-set", "/v1/organizations/zebra/secrets", "/v1/zebra", "/v1/secrets/zebra-absent?region=zebra"):
                client.send("GET", path)
        for daemon in self.system.daemons:
            for name, samples in self.scrape(daemon).samples.items():
                for labels, _ in samples:
                    for value in labels.values():
                        self.assertNotIn("zebra", value.lower(), name)
                        self.assertNotIn(key.split("_")[1], value, name)

    def test_the_backlog_of_a_region_is_told_until_it_is_proved(self):
        self.set("before", "KEY=value")
        before, west_before = self.api(), self.west()
        east = before.value("keyferry_region_pending_objects", region="us-east")
        self.system.provisioners["us-west"].hold()
        try:
            for number in range(3):
                self.user.ok("secrets", "set", f"backlog-{number}", "KEY=value")
            self.await_value(self.api, 3, "keyferry_region_pending_objects", region="us-west")
            wait_for(lambda: self.api().value("keyferry_region_oldest_pending_seconds", region="us-west") >= 1, "the oldest grows older", 10, 0.1)
            self.assertEqual(self.api().value("keyferry_region_pending_objects", region="us-east"), east)
        finally:
            self.system.provisioners["us-west"].release()
        self.await_value(self.api, 0, "keyferry_region_pending_objects", region="us-west")
        self.assertEqual(self.api().value("keyferry_region_oldest_pending_seconds", region="us-west"), 0)
        after = self.api()
        for name, labels in (("keyferry_region_ready_seconds_count", {}), ("keyferry_region_sent_objects_total", {"cause": "change"})):
            self.assertEqual(after.value(name, region="us-west", **labels) - before.value(name, region="us-west", **labels), 3, name)
        self.assertGreaterEqual(after.value("keyferry_region_ready_seconds_sum", region="us-west") - before.value("keyferry_region_ready_seconds_sum", region="us-west"), 1)
        applied = ("keyferry_provisioner_applied_objects_total", {"result": "ready"})
        self.assertEqual(self.west().value(applied[0], **applied[1]) - west_before.value(applied[0], **applied[1]), 3)

    def test_calls_and_commits_are_counted(self):
        before = self.api()
        for number in range(5):
            self.user.ok("secrets", "set", "counted", f"KEY={number}")
        self.assertNotEqual(self.user.run("secrets", "list", "absent").returncode, 0)
        self.user.ok("secrets", "wait", "counted")
        after = self.api()

        def grown(name, **labels):
            return after.value(name, **labels) - before.value(name, **labels)
        self.assertEqual(grown("keyferry_api_calls_total", method="SecretSets/SetSecrets", code="OK"), 5)
        self.assertEqual(grown("keyferry_api_call_duration_seconds_count", method="SecretSets/SetSecrets"), 5)
        self.assertEqual(grown("keyferry_api_calls_total", method="SecretSets/GetSecretSet", code="NOT_FOUND"), 1)
        # A write and its proof are at least one commit each; several may share a durable write.
        self.assertGreaterEqual(grown("keyferry_store_commit_batch_commits_sum"), 10)
        self.assertGreaterEqual(grown("keyferry_store_commit_batch_commits_sum"), grown("keyferry_store_commit_batch_commits_count"))
        self.assertEqual(grown("keyferry_store_commit_batch_commits_count"), grown("keyferry_store_commit_batch_duration_seconds_count"))

    def test_states_are_what_they_are(self):
        self.set("state", "KEY=value")
        self.system.operator().ok("admin", "backup")
        standby = self.system.provisioner("us-east", 2)
        self.system.prepare_provisioner("us-east", 2)
        standby.start()
        self.addCleanup(standby.stop)
        self.await_value(self.api, 1, "keyferry_region_provisioners", region="us-east", role="standby")
        # It learns a moment later that the API has taken it in.
        self.await_value(lambda: self.scrape(standby), 1, "keyferry_provisioner_connected")
        self.assertEqual(self.scrape(standby).value("keyferry_provisioner_active"), 0)
        now, api, west = time.time(), self.api(), self.west()
        self.assertEqual([west.value(f"keyferry_provisioner_{name}") for name in ("connected", "active")], [1, 1])
        self.assertGreaterEqual(west.value("keyferry_provisioner_objects"), 1)
        self.assertEqual([api.value(name) for name in ("keyferry_root_key_up", "keyferry_keys_under_old_root", "keyferry_backup_failing")], [1, 0, 0])
        self.assertGreaterEqual(api.value("keyferry_organizations"), 1)
        self.assertEqual(api.value("keyferry_region_provisioners", region="us-west", role="active"), 1)
        self.assertGreater(api.value("keyferry_store_disk_size_bytes"), api.value("keyferry_store_disk_free_bytes"))
        self.assertLess(abs(now - api.value("keyferry_backup_last_success_timestamp_seconds")), 60)
        self.assertGreaterEqual(api.value("keyferry_backup_last_size_bytes", part="total"), api.value("keyferry_backup_last_size_bytes", part="new"))
        self.assertLess(api.value("keyferry_oldest_key_age_seconds"), 600)
        for door in ("inner", "edge"):
            self.assertGreater(api.value("keyferry_api_certificate_expiry_timestamp_seconds", door=door), now)
        for value in (api.value("keyferry_region_certificate_expiry_timestamp_seconds", region="us-west"),
                      west.value("keyferry_provisioner_certificate_expiry_timestamp_seconds")):
            self.assertTrue(now - 1 < value <= now + 13, value - now)

    def test_a_region_that_nobody_serves_is_told(self):
        """What KeyferryRegionNotServed asks for: a 0, and not a series that is gone."""
        east = self.system.provisioners["us-east"]
        self.assertTrue(east.stop())
        try:
            self.await_value(self.api, 0, "keyferry_region_provisioners", region="us-east", role="active")
            self.assertIn(({"region": "us-east", "role": "active"}, 0.0), self.api().samples["keyferry_region_provisioners"])
        finally:
            east.start()


if __name__ == "__main__":
    unittest.main()
