"""The house rules that a machine can see: who includes whom, budgets, headers, protos, words."""

import re
import shutil
import subprocess
import unittest
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIRECTORIES = ("proto", "libs", "services", "cli", "tests", "deploy", "cmake", "docs")

# Who may include whom: a directory, and the directories that it may include beside itself. Everybody may include libs/common.
LAYERS = {
    "libs/common": [],
    "libs/metrics": [],
    "libs/crypto": [],
    "libs/model": ["libs/crypto"],
    "libs/storage": ["libs/metrics", "libs/crypto", "libs/model"],
    "libs/rpc": ["libs/crypto", "libs/model", "keyferry/v1", "google"],
    "services/api": ["libs/metrics", "libs/crypto", "libs/model", "libs/storage", "libs/rpc", "keyferry/v1", "google"],
    "services/provisioner": ["libs/metrics", "libs/crypto", "libs/model", "libs/rpc", "keyferry/v1", "google"],
    "services/gateway": ["libs/rpc", "keyferry/v1", "google"],
    "cli": ["libs/crypto", "libs/model", "libs/rpc", "keyferry/v1", "google"],
}
# The only places that know records.proto: the API's codec and the region's own store.
EXTRA = {
    "libs/storage/codec": ["keyferry/storage"],
    "libs/storage/record_io": ["keyferry/storage"],
    "services/provisioner/region_rows": ["keyferry/storage"],
}
# Files of the services that speak the wire's protos: handlers and streams, never use cases.
WIRE = r"main|serve|guard|access_policy|\w+_(service|reactor|conversion)|provisioning|region_session|event_|inventory|sync_|enrollment_client"
# Headers of others that only some files may include: pattern of the include, and of the files.
CONFINED = [
    (r"sodium\.h", r"libs/crypto/|tests/simulation/seams\.cc"),
    (r"openssl/.*", r"libs/(crypto|rpc)/|services/gateway/(http|tls)_"),
    (r"boost/.*", r"services/gateway/|tests/"),
    (r"prometheus/.*", r"libs/metrics/|services/gateway/metrics\.cc"),
    (r"rocksdb/.*", r"libs/storage/(rocks|older_store_test)|services/provisioner/region_|tests/bench/"),
    (r"keyferry/v1/.*", rf"libs/rpc/|services/\w+/({WIRE})\w*\.(cc|h)|services/gateway/|services/\w+/(testing/|\w+_test\.cc)|cli/|tests/"),
    (r"CLI/CLI\.hpp", r"cli/"),
]
BUDGETS = [(r"(^|/)main\.cc$", 150), (r"_test\.(cc|py)$|/testing/", 500), (r"\.h$", 120), (r"\.cc$", 350), (r"\.py$", 500)]
WORDS_NOT_HERE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def files(pattern):
    found = [path for directory in DIRECTORIES for path in (ROOT / directory).rglob(pattern)]
    return sorted(path for path in found if "__pycache__" not in path.parts)


def name(path):
    return path.relative_to(ROOT).as_posix()


def sources():
    return files("*.h") + files("*.cc")


class RepoShapeTest(unittest.TestCase):
    def assert_none(self, problems):
        self.assertFalse(problems, "\n" + "\n".join(sorted(problems)))

    def test_includes_keep_to_the_layers(self):
        problems = []
        for path in sources():
            layer = next((layer for layer in LAYERS if name(path).startswith(layer + "/")), None)
            if layer is None:
                continue
            allowed = [layer, "libs/common", *LAYERS[layer], *EXTRA.get(re.sub(r"(_test)?\.\w+$", "", name(path)), [])]
            for include in re.findall(r'^#include "((?:libs|services|cli|tests|keyferry|google)/[^"]+)"', path.read_text(), re.M):
                if not any(include.startswith(each + "/") for each in allowed):
                    problems.append(f"{name(path)} includes {include}")
        self.assert_none(problems)

    def test_what_is_confined_stays_there(self):
        problems = []
        for path in sources():
            for include in re.findall(r'^#include ["<]([^">]+)[">]', path.read_text(), re.M):
                for pattern, place in CONFINED:
                    if re.fullmatch(pattern, include) and not re.match(place, name(path)):
                        problems.append(f"{name(path)} includes {include}")
        self.assert_none(problems)

    def test_services_of_one_process_do_not_include_each_other(self):
        problems = [f"{name(path)} includes {include}" for path in files("*_service.cc")
                    for include in re.findall(r'^#include "(services/\w+/\w+_service\.h)"', path.read_text(), re.M)
                    if include != name(path).replace(".cc", ".h")]
        self.assert_none(problems)

    def test_files_keep_their_budgets(self):
        problems = []
        for path in sources() + files("*.py"):
            lines = path.read_text().count("\n")
            budget = next(budget for pattern, budget in BUDGETS if re.search(pattern, name(path)))
            if lines > budget:
                problems.append(f"{name(path)} has {lines} lines, more than {budget}")
        self.assert_none(problems)

    def test_functions_end_within_sixty_lines(self):
        problems = []
        for path in files("*.cc"):
            begin = None
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if line.startswith("}") and begin:
                    if number - begin > 60:
                        problems.append(f"{name(path)}:{begin} has {number - begin} lines")
                    begin = None
                elif line.endswith("{") and not line.endswith("= {") and not line.startswith((" ", "}", "namespace", "class", "struct", "enum", "extern")):
                    begin = number
        self.assert_none(problems)

    def test_headers_begin_with_what_they_are_and_have_their_guard(self):
        problems = []
        for path in files("*.h"):
            text = path.read_text()
            guard = "KEYFERRY_" + re.sub(r"^LIBS_", "", re.sub(r"\W", "_", name(path).upper())) + "_"
            if not text.startswith("// "):
                problems.append(f"{name(path)} does not begin with a comment")
            if f"#ifndef {guard}\n#define {guard}\n" not in text:
                problems.append(f"{name(path)} has not the guard {guard}")
        self.assert_none(problems)

    def test_nothing_is_left_for_later(self):
        here = Path(__file__).resolve()
        problems = [f"{name(path)}:{number}: {line.strip()}"
                    for path in sources() + files("*.proto") + files("*.py") + files("*.cmake") + files("CMakeLists.txt") + [ROOT / "dev"]
                    if path != here
                    for number, line in enumerate(path.read_text().splitlines(), 1) if WORDS_NOT_HERE.search(line)]
        self.assert_none(problems)

    def test_every_service_rpc_and_message_field_group_of_the_wire_is_documented(self):
        problems = []
        for path in sorted((ROOT / "proto/keyferry/v1").glob("*.proto")):
            commented = False
            for number, line in enumerate(path.read_text().splitlines(), 1):
                text = line.strip()
                if text.startswith("//"):
                    commented = True
                    continue
                if re.match(r"(service|rpc) ", text) and not commented:
                    problems.append(f"{name(path)}:{number}: {text}")
                # A comment stands for the fields up to the next blank line or comment.
                if not text or text.startswith(("service", "rpc", "message", "enum", "}")):
                    commented = False
        self.assert_none(problems)

    def test_every_source_is_built_and_every_test_is_run(self):
        lists = defaultdict(str)
        for path in files("CMakeLists.txt") + files("*.cmake"):
            lists[path.parent] += path.read_text()
        problems = []
        for path in files("*.cc") + files("*_test.py"):
            words = {word for parent in path.parents for word in re.split(r"[\s();]+", lists.get(parent, ""))}
            if f"${{CMAKE_SOURCE_DIR}}/{name(path)}" in re.split(r"[\s()]+", lists[ROOT / "cmake"]):
                continue
            known = {path.name, path.parent.name + "/" + path.name, path.stem.removesuffix("_test")}
            if not words & (known if path.suffix == ".py" else known - {path.stem}):
                problems.append(f"{name(path)} is in no CMakeLists.txt")
        self.assert_none(problems)

    def test_documents_name_only_commands_that_there_are(self):
        commands = set(re.findall(r"^  ([a-z, ]+?)\)", (ROOT / "dev").read_text(), re.M))
        problems = []
        for path in [*ROOT.glob("*.md"), *files("*.md")]:
            for command in re.findall(r"\./dev ([a-z]+)", path.read_text()):
                if command not in commands:
                    problems.append(f"{name(path)}: ./dev {command}")
        self.assert_none(problems)

    def test_links_of_documents_lead_somewhere(self):
        problems = []
        for path in [*ROOT.glob("*.md"), *files("*.md")]:
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
                if not (path.parent / link).exists():
                    problems.append(f"{name(path)}: {link}")
        self.assert_none(problems)

    def test_tests_that_documents_name_are_there(self):
        problems = []
        for path in [*ROOT.glob("*.md"), *files("*.md")]:
            for file, method in re.findall(r"\b(\w+_test)\.(test_\w+)", path.read_text()):
                test = ROOT / "tests/system" / f"{file}.py"
                if not test.exists() or f"def {method}(" not in test.read_text():
                    problems.append(f"{name(path)}: {file}.{method}")
        self.assert_none(problems)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_scripts_are_clean(self):
        for script in ("dev", ".ci/run", "deploy/dev_certs"):
            result = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    unittest.main()
