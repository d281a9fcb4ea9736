"""The contract, by its request/answer pairs in both forms of every route, and the document /openapi.json by the answers that came."""

import functools
import re
import unittest

import jsonschema
import rest_pairs
from case import SystemTest
from openapi_spec_validator import validate
from rest import Rest, Reply
from rest_pairs import Exchange, PairRunner

METHODS = ("get", "put", "post", "delete", "patch")


class Document:
    """/openapi.json, and which of its operations an exchange is."""

    def __init__(self, document):
        self.document = document
        self.patterns = sorted(((re.sub(r"\{\w+\}", r"[^/]+", path), path) for path in document["paths"]),
                               key=lambda pair: pair[1].count("{"))

    def operations(self):
        return {(method.upper(), path): operation for path, item in self.document["paths"].items()
                for method, operation in item.items() if method in METHODS}

    def path_of(self, path):
        path = path.partition("?")[0]
        return next((template for pattern, template in self.patterns if re.fullmatch(pattern, path)), None)

    def resolve(self, value):
        while "$ref" in value:
            value = functools.reduce(lambda found, name: found[name], value["$ref"].split("/")[1:], self.document)
        return value

    def answered(self, exchange):
        """The (method, path, status) of the document that it shows; None where the document says nothing of it."""
        path = self.path_of(exchange.path)
        method = "GET" if exchange.method == "HEAD" else exchange.method
        operation = self.operations().get((method, path))
        if not operation:
            return None
        status = str(exchange.reply.status)
        return (method, path, status if status in operation["responses"] else "default") if (
            {status, "default"} & set(operation["responses"])) else (method, path, None)

    def problem(self, exchange):
        found = self.answered(exchange)
        if not found:
            return None
        method, path, status = found
        if not status:
            return f"{method} {path} does not tell of {exchange.reply.status}"
        answer = self.resolve(self.operations()[method, path]["responses"][status])
        kind = (exchange.reply.header("Content-Type") or "").partition(";")[0]
        content = answer.get("content", {})
        if exchange.method == "HEAD" or (not content and not exchange.reply.body):
            return None
        if kind not in content:
            return f"{method} {path} {status}: {kind} is not among {list(content)}"
        if kind != "application/json":
            return None
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "components": self.document.get("components", {}),
                  **content[kind].get("schema", {})}
        errors = list(jsonschema.Draft202012Validator(schema).iter_errors(exchange.reply.json))
        return f"{method} {path} {status}: {errors[0].json_path}: {errors[0].message[:300]}" if errors else None


class RestContractTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.doors = {"key": Rest(cls.system.gateway_url, ca=cls.system.ca), "organization": Rest(cls.system.plain_gateway_url)}
        cls.document = Document(cls.doors["key"].send("GET", "/openapi.json").json)
        for door in cls.doors.values():
            cls.addClassCleanup(door.close)

    @classmethod
    @functools.cache
    def runs(cls):
        """Every file in both forms: by TLS with the organization left to the key, in the clear with its name in the path."""
        runs = []
        for file in sorted(each.name for each in rest_pairs.PAIRS.glob("*.json")):
            for form, door in cls.doors.items():
                run = PairRunner(cls.system, door, form, f"{file.removesuffix('.json')}-{form}")
                run.run(file)
                runs.append(run)
        return runs

    @classmethod
    @functools.cache
    def streams(cls):
        """One answer of each stream, cut after its first event."""
        exchanges = []
        key = cls.system.settings["api_key"]
        cls.user.ok("secrets", "set", "watched", "KEY=value")
        for form, door in cls.doors.items():
            prefix = "/v1" if form == "key" else "/v1/organizations/acme"
            for path in ("/events", "/secrets/watched/events"):
                with door.with_key(key).events(prefix + path) as stream:
                    stream.next()
                    reply = Reply(stream.status, stream.response.getheaders(), b"")
                exchanges.append(Exchange("stream", "GET", prefix + path, reply))
        return exchanges

    @classmethod
    def exchanges(cls):
        return [exchange for run in cls.runs() for exchange in run.exchanges] + cls.streams()

    def test_every_pair_is_answered_as_it_says(self):
        problems = [problem for run in self.runs() for problem in run.problems]
        self.assertFalse(problems, "\n" + "\n".join(problems))
        self.assertGreater(sum(len(run.exchanges) for run in self.runs()), 250)

    def test_the_document_is_valid(self):
        validate(self.document.document)
        self.assertTrue(self.document.document["openapi"].startswith("3.1."))

    def test_every_answer_is_as_the_document_says(self):
        problems = sorted({problem for each in self.exchanges() if (problem := self.document.problem(each))})
        self.assertFalse(problems, "\n" + "\n".join(problems))

    def test_every_success_of_the_document_was_seen(self):
        seen = {self.document.answered(each) for each in self.exchanges()}
        told = {(method, path, status) for (method, path), operation in self.document.operations().items()
                for status in operation["responses"] if status.startswith("2")}
        self.assertFalse(sorted(told - seen))

    def test_answers_carry_the_request_id_of_their_request_or_a_new_one(self):
        door = self.doors["key"].with_key(self.system.settings["api_key"])
        self.assertEqual(door.send("GET", "/v1/regions", headers={"X-Request-Id": "mine-1.2_3"}).header("X-Request-Id"),
                         "mine-1.2_3")
        made = [door.send("GET", "/v1/regions", headers=given).header("X-Request-Id")
                for given in ({}, {}, {"X-Request-Id": "not one"}, {"X-Request-Id": "x" * 65},
                              [("X-Request-Id", "a"), ("X-Request-Id", "b")])]
        self.assertEqual(len(set(made)), 5)
        self.assertTrue(all(re.fullmatch(r"[A-Za-z0-9._-]{8,64}", each) for each in made), made)
        self.assertEqual(door.send("GET", "/v1/regions", headers={"X-Request-Id": "x" * 64}).header("X-Request-Id"), "x" * 64)
        door.close()


if __name__ == "__main__":
    unittest.main()
