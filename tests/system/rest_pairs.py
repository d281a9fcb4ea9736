"""Request/answer pairs: tests/rest/*.json, each file a list of steps that run in order against one organization.

A step is {"wait": SET} (until it is ready), {"hold": REGION}, {"release": REGION}, or a pair:
  name, request {method, path, body?, headers?}, answer {status, body?, error?, absent?, headers?, save?}
  path     goes behind /v1 and, in a second run, behind /v1/organizations/ORG; from a second slash on (`//healthz`) it is the whole path
  form     `key` or `organization`: only in that run
  role     whose key: admin where it says nothing, null for none
  until    asks again until the answer is as it should be, for 15 s
  wrapped  the body is {"body": BODY} in the organization's form
  body     compared exactly, but for the patterns of `mismatch`
  error    code, reason, `says` (in the text or its violations), `hides` (nowhere), `details`
  absent   members that the body must not have
  headers  patterns; null: absent
  save     {name of a member of the body: variable}; "${variable}" stands for it from then on, "${org}" for the organization;
           save_headers: the same of a header
"""

import json
import re
import time

import rest
from harness import ROOT, wait_for

PAIRS = ROOT / "tests/rest"
UNTIL_SECONDS = 15
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
PATTERNS = {
    "<any>": lambda value: True,
    "<text>": lambda value: isinstance(value, str) and value,
    "<int>": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "<bool>": lambda value: isinstance(value, bool),
    "<time>": lambda value: isinstance(value, str) and TIME.fullmatch(value),
    "<etag>": lambda value: isinstance(value, str) and re.fullmatch(r"[!#-~]{4,64}", value),
    "<key>": lambda value: isinstance(value, str) and re.fullmatch(r"kf_[0-9A-Za-z]{10}_[0-9A-Za-z]{36}", value),
    "<seconds>": lambda value: isinstance(value, str) and re.fullmatch(r"[1-9][0-9]*", value),
}


def mismatch(expected, found, path="body"):
    """Where a value differs from its pattern; None where it does not."""
    if isinstance(expected, str) and expected in PATTERNS:
        return None if PATTERNS[expected](found) else f"{path} is {found!r}, not {expected}"
    if isinstance(expected, dict) and isinstance(found, dict):
        return mismatch_of_objects(expected, found, path)
    if isinstance(expected, list) and isinstance(found, list):
        return mismatch_of_lists(expected, found, path)
    same = type(expected) is type(found) and expected == found
    return None if same else f"{path} is {found!r}, not {expected!r}"


def mismatch_of_objects(expected, found, path):
    members = {name: pattern for name, pattern in expected.items() if name != "..."}
    if missing := sorted(set(members) - set(found)):
        return f"{path} lacks {missing}: {found}"
    if "..." not in expected and (more := sorted(set(found) - set(members))):
        return f"{path} has also {more}: {found}"
    return next(filter(None, (mismatch(pattern, found[name], f"{path}.{name}") for name, pattern in members.items())), None)


def mismatch_of_lists(expected, found, path):
    if expected[:1] == ["<each>"]:
        return next(filter(None, (mismatch(expected[1], each, f"{path}[{i}]") for i, each in enumerate(found))), None)
    if expected[:1] == ["<some>"]:
        faults = [mismatch(expected[1], each, f"{path}[{i}]") for i, each in enumerate(found)]
        return None if None in faults else f"{path} has no such element: {faults or 'it is empty'}"
    if len(expected) != len(found):
        return f"{path} has {len(found)} elements, not {len(expected)}: {found}"
    return next(filter(None, (mismatch(one, other, f"{path}[{i}]") for i, (one, other) in enumerate(zip(expected, found)))), None)


def said(body):
    """All that an error tells a person."""
    violations = (body.get("details") or {}).get("violations", [])
    return " ".join([body["error"], *(f"{each['field']} {each['description']}" for each in violations)])


def problem_of_answer(answer, reply, wrapped, method="GET"):
    if reply.status != answer["status"]:
        return f"status {answer['status']} expected: {reply}"
    for name, pattern in answer.get("headers", {}).items():
        if problem := mismatch(pattern, reply.header(name), name):
            return problem
    if method == "HEAD" or answer["status"] == 304:
        return "an answer without content has some" if reply.body else None
    if "error" in answer:
        return problem_of_error(answer["error"], reply)
    body = reply.json
    if problem := mismatch({"body": answer["body"]} if wrapped else answer["body"], body):
        return problem
    return next((f"the body has {name}" for name in answer.get("absent", []) if name in body), None)


def problem_of_error(expected, reply):
    if problems := rest.problems_of_error(reply):
        return problems[0]
    body = reply.json
    for name in ("code", "reason", "details"):
        if name in expected and (problem := mismatch(expected[name], body.get(name), name)):
            return f"{problem}: {body}"
    if unsaid := [word for word in expected.get("says", []) if word not in said(body)]:
        return f"the error does not say {unsaid}: {body}"
    if leaked := [word for word in expected.get("hides", []) if word.encode() in reply.body]:
        return f"the error says {leaked}"
    return None


class Exchange:
    """What went over the wire."""

    def __init__(self, name, method, path, reply):
        self.name = name
        self.method = method
        self.path = path
        self.reply = reply


class PairRunner:
    """One run of one file: `form` is `key` or `organization`."""

    def __init__(self, system, client, form, organization):
        self.system = system
        self.form = form
        self.prefix = "/v1" if form == "key" else f"/v1/organizations/{organization}"
        self.organization = organization
        self.variables = {"org": organization}
        self.clients = {"admin": client.with_key(system.new_organization(organization)), None: client.with_key(None)}
        self.exchanges = []
        self.problems = []

    def client(self, role):
        if role not in self.clients:
            self.clients[role] = self.clients["admin"].with_key(self.system.new_key(self.organization, role))
        return self.clients[role]

    def fill(self, value):
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda found: str(self.variables[found[1]]), value)
        if isinstance(value, dict):
            return {name: self.fill(each) for name, each in value.items()}
        return [self.fill(each) for each in value] if isinstance(value, list) else value

    def run(self, file):
        held = []
        try:
            for step in json.loads((PAIRS / file).read_text()):
                if "hold" in step:
                    held.append(step["hold"])
                    self.system.provisioners[step["hold"]].hold()
                elif "release" in step:
                    self.system.provisioners[step["release"]].release()
                elif "wait" in step:
                    self.wait(step["wait"])
                elif step.get("form", self.form) == self.form:
                    self.pair(step)
        finally:
            for region in held:
                self.system.provisioners[region].release()
            for client in self.clients.values():
                client.close()

    def wait(self, name):
        def ready():
            sets = self.clients["admin"].send("GET", f"{self.prefix}/secrets").json.get("sets", [])
            return any(each["name"] == name and each["status"] == "ready" for each in sets)
        wait_for(ready, f"{name} is ready")

    def pair(self, step):
        end = time.monotonic() + (UNTIL_SECONDS if step.get("until") else 0)
        while True:
            try:
                problem = self.ask(step)
            except (OSError, ValueError, KeyError) as error:
                problem = repr(error)
            if not problem:
                return
            if time.monotonic() >= end:
                self.problems.append(f"{self.prefix} {step['name']}: {problem}")
                return
            time.sleep(0.05)

    def ask(self, step):
        request, answer = self.fill(step["request"]), self.fill(step["answer"])
        path = request["path"][1:] if request["path"].startswith("//") else self.prefix + request["path"]
        reply = self.client(step.get("role", "admin")).send(request["method"], path, request.get("body"),
                                                             headers=request.get("headers"))
        self.exchanges.append(Exchange(step["name"], request["method"], path, reply))
        wrapped = step.get("wrapped", False) and self.form == "organization"
        problem = problem_of_answer(answer, reply, wrapped, request["method"])
        if not problem:
            self.variables.update({variable: reply.json[name] for name, variable in answer.get("save", {}).items()})
            self.variables.update({variable: reply.header(name) for name, variable in answer.get("save_headers", {}).items()})
        return problem
