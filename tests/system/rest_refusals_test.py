"""What the gateway and the API behind it refuse: the exact status, code and reason, a body that helps, and nothing changed."""

import json
import re
import unittest

import rest
from case import SystemTest
from rest import RawConnection, Rest

BODY_BYTES = 4 * 1024 * 1024
HEADER_BYTES = 16 * 1024
TARGET_BYTES = 4 * 1024
DEPTH = 16
JSON = "application/json"
METHODS = ("get", "put", "post", "delete", "patch")

# Text, line, column, a word of what is wrong.
BAD_JSON = [
    (b'{"secrets": [}', 1, 14, "bracket"),
    (b'{"secrets": [],}', 1, 16, "comma"),
    (b'{"secrets": []} x', 1, 17, "after the end"),
    (b'{"a": 1,\n "b": tru}', 2, 10, ""),
    (b"{'secrets': []}", 1, 2, "quote"),
    (b'{"secrets": [] // none\n}', 1, 16, "comments"),
    (b'{"a": "x\ny"}', 1, 9, "control character"),
    (b'{"a": "\\q"}', 1, 8, "backslash"),
    (b'{"a": "\\ud800"}', 1, 8, "surrogate"),
    (b'{"a": 01}', 1, 8, "number"),
    (b'{"a": NaN}', 1, 7, ""),
    (b'{"a": 1e999}', 1, 7, "too large"),
    (b'{"a"', 1, 5, "ends"),
    (b'{"a": "\xc3\xa9", "b": "\xff"}', 1, 18, "UTF-8"),
    (b'\n\n  {"a": "\xed\xa0\x80"}', 3, 10, "UTF-8"),
    (b'{"a": "x\0y"}', 1, 9, "NUL"),
    (b'\xef\xbb\xbf{}', 1, 1, "byte order mark"),
    (b'{"secrets": [], "secrets": []}', 1, 17, "has already"),
    (b'{"secrets": [{"secretKey": "A", "secretKey": "B"}]}', 1, 33, "has already"),
    (b'{"a": ' + b"[" * DEPTH + b"]" * DEPTH + b"}", 1, 6 + DEPTH, "levels"),
]


def write(value="other", key="KEY", **more):
    return {"secrets": [{"secretKey": key, "secretValue": value}], **more}


class RestRefusalsTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = Rest(cls.system.plain_gateway_url, cls.system.settings["api_key"])
        cls.tls = Rest(cls.system.gateway_url, cls.system.settings["api_key"], cls.system.ca)
        cls.user.ok("secrets", "set", "known", "KEY=value", "--wait")
        cls.user.ok("deploy", "bystander", "image:1", "--wait")
        cls.paths = cls.api.send("GET", "/openapi.json").json["paths"]

    def setUp(self):
        self.before = self.snapshot()

    def tearDown(self):
        super().tearDown()
        self.api.close()
        self.assertEqual(self.snapshot(), self.before, "a refused request changed something")

    def assert_refused(self, reply, status, code, reason, *says):
        self.assertIsNotNone(reply, "closed without an answer")
        self.assertEqual(reply.status, status, reply)
        self.assertEqual(rest.problems_of_error(reply), [])
        self.assertEqual((reply.json["code"], reply.json["reason"]), (code, reason), reply)
        for word in says:
            self.assertIn(word, reply.json["error"])
        return reply

    def put(self, raw, path="/v1/secrets/known", **headers):
        return self.api.send("PUT", path, raw=raw, headers={name.replace("_", "-"): value for name, value in headers.items()})

    # Routes and methods.

    def test_every_other_method_of_every_route_is_405_and_says_which_there_are(self):
        for path in self.paths:
            target = path.replace("{org}", "acme").replace("{", "").replace("}", "")
            # `/secrets/{set}/events` is also the key `events` of a set, which can be deleted.
            there = {method.upper() for template, item in self.paths.items() if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template),
                                                                                             target)
                     for method in item if method in METHODS}
            for method in sorted({*(each.upper() for each in METHODS), "OPTIONS", "TRACE", "BREW"} - there):
                with self.subTest(f"{method} {path}"):
                    reply = self.assert_refused(self.api.send(method, target), 405, "METHOD_NOT_ALLOWED", "METHOD_NOT_ALLOWED")
                    self.assertEqual({each.strip() for each in reply.header("Allow").split(",")},
                                     there | ({"HEAD"} if "GET" in there else set()))

    def test_what_is_no_route_is_404_with_and_without_a_key(self):
        for path in ("/", "/v1", "/v1/", "/v2/secrets", "/v1/secret", "/v1/secrets/known/KEY/more", "/v1/organizations/acme",
                     "/V1/secrets",
                     "/v1/organizations//secrets", "/v1/organizations/acme/secrets/known/", "/v1/./secrets", "/metrics"):
            for headers in ({}, {"Authorization": None}):
                with self.subTest(path):
                    self.assert_refused(self.api.send("GET", path, headers=headers), 404, "NOT_FOUND", "ROUTE_NOT_FOUND")

    # Bodies.

    def test_bodies_that_are_not_json_by_their_header(self):
        body = json.dumps(write()).encode()
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=iso-8859-1",
                     "application/jsonp",
                     "application/merge-patch+json", "multipart/form-data; boundary=x", "", None):
            with self.subTest(kind):
                reply = self.put(body, Content_Type=kind)
                self.assert_refused(reply, 415, "UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_MEDIA_TYPE", JSON)
        self.assert_refused(self.put(body, Content_Encoding="gzip"), 415, "UNSUPPORTED_MEDIA_TYPE", "UNSUPPORTED_MEDIA_TYPE")
        for kind in (JSON, "Application/JSON", 'application/json;charset="UTF-8"', "application/json ; charset=utf-8"):
            self.assertEqual(self.put(json.dumps(write("value")).encode(), Content_Type=kind).status, 202)

    def test_json_that_is_none_and_where(self):
        for raw, line, column, word in BAD_JSON:
            with self.subTest(raw[:60]):
                reply = self.assert_refused(self.put(raw), 400, "GENERIC_BAD_REQUEST", "INVALID_JSON",
                                            f"line {line}, column {column}", word)
                self.assertEqual(reply.json["details"]["metadata"], {"line": str(line), "column": str(column)})

    def test_json_that_is_no_object(self):
        for raw in (b"[]", b"null", b"1", b'"text"', b"true"):
            with self.subTest(raw):
                self.assert_refused(self.put(raw), 400, "GENERIC_BAD_REQUEST", "INVALID_BODY", "object")
        for raw in (b"", b" \n"):
            with self.subTest(raw):
                self.assert_refused(self.put(raw), 400, "GENERIC_BAD_REQUEST", "INVALID_JSON", "empty")

    def test_sixteen_levels_are_json_and_seventeen_are_not(self):
        nested = b"[" * (DEPTH - 1) + b"]" * (DEPTH - 1)
        self.assert_refused(self.put(b'{"nested": ' + nested + b"}"), 400, "GENERIC_BAD_REQUEST", "INVALID_BODY", "nested")
        self.assert_refused(self.put(b'{"nested": [' + nested + b"]}"), 400, "GENERIC_BAD_REQUEST", "INVALID_JSON", "16")

    def test_unknown_members_are_named_all_at_once_with_the_bad_ones(self):
        body = {"secrets": [{"secretKey": 1, "secretValue": "the-value", "secretVale": "the-value"}], "replaceall": True}
        reply = self.assert_refused(self.put(json.dumps(body).encode()), 400, "GENERIC_BAD_REQUEST", "INVALID_BODY", "replaceall",
                                    "secrets[0].secretKey", "secrets[0].secretVale")
        self.assertNotIn(b"the-value", reply.body)
        self.assertEqual({each["field"] for each in reply.json["details"]["violations"]},
                         {"replaceall", "secrets[0].secretKey", "secrets[0].secretVale"})

    def test_a_body_of_the_limit_is_read_and_one_byte_more_is_not(self):
        full = json.dumps(write("value")).encode().ljust(BODY_BYTES)
        for client in (self.api, self.tls):
            self.assertEqual(client.send("PUT", "/v1/secrets/known", raw=full).status, 202)
            reply = client.send("PUT", "/v1/secrets/known", raw=full + b" ")
            self.assert_refused(reply, 413, "PAYLOAD_TOO_LARGE", "BODY_TOO_LARGE", str(BODY_BYTES))
            self.assertEqual(reply.header("Connection"), "close")

    def chunked(self, *chunks):
        head = self.head("PUT", "/v1/secrets/known", ("Content-Type", JSON), ("Transfer-Encoding", "chunked"))
        return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))

    def head(self, method, target, *headers, key=None):
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key or self.api.key}"]
        return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "", ""]).encode()

    def test_a_chunked_body_has_the_same_limit(self):
        body = json.dumps(write("value")).encode()
        self.assertEqual(self.api.raw(self.chunked(body[:10], body[10:])).status, 202)
        self.assertEqual(self.api.raw(self.chunked(body, b" " * (BODY_BYTES - len(body)))).status, 202)
        self.assert_refused(self.api.raw(self.chunked(body, b" " * (BODY_BYTES - len(body)), b" ")), 413, "PAYLOAD_TOO_LARGE",
                            "BODY_TOO_LARGE")

    def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(self):
        head = self.head("PUT", "/v1/secrets/known", ("Content-Type", JSON), ("Content-Length", BODY_BYTES + 1),
                         ("Expect", "100-continue"))
        self.assert_refused(self.api.raw(head, timeout=5), 413, "PAYLOAD_TOO_LARGE", "BODY_TOO_LARGE")

    # HTTP.

    def test_headers_and_targets_of_the_limit_and_beyond(self):
        path = "/v1/secrets?region="
        self.assertEqual(self.api.send("GET", path + "u" * (TARGET_BYTES - len(path))).status, 200)
        reply = self.api.send("GET", path + "u" * (TARGET_BYTES - len(path) + 1))
        self.assert_refused(reply, 414, "URI_TOO_LONG", "TARGET_TOO_LONG")
        head = self.head("GET", "/v1/regions", ("X-Pad", ""))
        room = HEADER_BYTES - len(head)
        self.assertEqual(self.api.raw(head.replace(b"X-Pad: ", b"X-Pad: " + b"x" * room)).status, 200)
        reply = self.api.raw(head.replace(b"X-Pad: ", b"X-Pad: " + b"x" * (room + 1)))
        self.assert_refused(reply, 431, "HEADERS_TOO_LARGE", "HEADERS_TOO_LARGE")

    def test_what_two_servers_could_read_in_two_ways(self):
        body = json.dumps(write()).encode()
        length = ("Content-Length", len(body))
        kind = ("Content-Type", JSON)
        for headers in ([length, length, kind], [length, ("Content-Length", 1), kind],
                        [length, ("Transfer-Encoding", "chunked"), kind],
                        [("Content-Length", f"+{len(body)}"), kind], [("Transfer-Encoding", "gzip, chunked"), kind],
                        [("Transfer-Encoding", "identity"), kind], [("Host", "second"), length, kind],
                        [("Bad Name", "x"), length, kind]):
            with self.subTest(headers):
                reply = self.api.raw(self.head("PUT", "/v1/secrets/known", *headers) + body)
                self.assert_refused(reply, 400, "GENERIC_BAD_REQUEST", "INVALID_HTTP")
                self.assertEqual(reply.header("Connection"), "close")

    def test_what_is_not_http(self):
        for raw in (b"nonsense\r\n\r\n", b"GET /v1/regions\r\n\r\n", b"GET /v1/regions HTTP/2.0\r\n\r\n",
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
                    b"GET  / HTTP/1.1\r\n\r\n", b"G\x00T / HTTP/1.1\r\nHost: a\r\n\r\n"):
            with self.subTest(raw[:40]), RawConnection(self.api, 5) as connection:
                connection.send(raw)
                self.assert_refused(connection.read_reply(), 400, "GENERIC_BAD_REQUEST", "INVALID_HTTP")
                self.assertTrue(connection.is_closed())

    # Who asks.

    def test_no_key_a_bad_one_and_two(self):
        key = self.api.key
        other = key[:-1] + ("a" if key[-1] != "a" else "b")
        for headers in ({"Authorization": None}, {"Authorization": ""}, {"Authorization": key}, {"Authorization": f"Basic {key}"},
                        {"Authorization": "Bearer "}, {"Authorization": "Bearer nonsense"}, {"Authorization": f"Bearer {other}"},
                        {"Authorization": f"Bearer {key} {key}"}, {"Authorization": f"Bearer {key}\u00fc"},
                        [("Authorization", f"Bearer {key}"), ("Authorization", f"Bearer {key}")]):
            with self.subTest(str(headers).replace(key, "KEY")):
                reply = self.api.send("GET", "/v1/secrets/known", headers=headers)
                self.assert_refused(reply, 401, "UNAUTHORIZED", "UNAUTHENTICATED")
                self.assertTrue(reply.header("WWW-Authenticate").startswith("Bearer"))
                self.assertNotIn(key.split("_")[2].encode(), reply.body)
        self.assertEqual(self.api.send("GET", "/v1/secrets/known", headers={"Authorization": f"bearer {key}"}).status, 200)

    def test_another_organization_is_as_if_it_were_not_there(self):
        stranger = self.api.with_key(self.system.new_organization("strangers"))
        for path in ("/secrets", "/secrets/known", "/agents", "/properties", "/apiKeys", "/services", "/events",
                     "/secrets/known/events"):
            foreign, absent = (stranger.send("GET", f"/v1/organizations/{name}{path}") for name in ("acme", "nope"))
            with self.subTest(path):
                self.assert_refused(foreign, 404, "NOT_FOUND", "ORGANIZATION_NOT_FOUND")
                self.assertEqual(self.anonymous(foreign, "acme"), self.anonymous(absent, "nope"))
        foreign = self.put(json.dumps(write()).encode(), "/v1/organizations/strangers/secrets/known")
        self.assert_refused(foreign, 404, "NOT_FOUND", "ORGANIZATION_NOT_FOUND")
        self.assert_refused(stranger.send("GET", "/v1/secrets/known"), 404, "NOT_FOUND", "SECRET_SET_NOT_FOUND")
        stranger.close()

    @staticmethod
    def anonymous(reply, name):
        """An answer without what must differ."""
        fields = {each.lower(): value for each, value in reply.headers if each.lower() not in ("date", "x-request-id",
                                                                                               "content-length")}
        return reply.status, fields, reply.body.replace(reply.json["requestId"].encode(), b"ID").replace(name.encode(), b"NAME")

    def test_a_viewer_may_write_nothing(self):
        viewer = self.api.with_key(self.system.new_key("acme", "viewer"))
        for method, path, body in (("PUT", "/secrets/known", write()), ("PUT", "/secrets/new-set", write()),
                                   ("DELETE", "/secrets/known", None),
                                   ("DELETE", "/secrets/known/KEY", None), ("POST", "/secrets/known/rollback", {"generation": 1}),
                                   ("PATCH", "/properties", {"defaultRegion": "us-east"}),
                                   ("POST", "/apiKeys", {"name": "x", "type": "private"}),
                                   ("GET", "/apiKeys", None), ("DELETE", "/apiKeys/0123456789", None),
                                   ("POST", "/agents", {"serviceName": "agent", "image": "image:1"}),
                                   ("POST", "/agents/bystander", {"image": "image:2"}),
                                   ("DELETE", "/agents/bystander", None)):
            with self.subTest(f"{method} {path}"):
                self.assert_refused(viewer.send(method, "/v1" + path, body), 403, "FORBIDDEN", "PERMISSION_DENIED", "viewer")
        viewer.close()

    # Sizes of the contract's things.

    def test_keys_values_and_sets_of_one_too_many(self):
        for status, body in ((202, write("value", validateOnly=True)), (202, write(key="K" * 64, validateOnly=True)),
                             (400, write(key="K" * 65)), (202, write("v" * 65536, validateOnly=True)), (400, write("v" * 65537)),
                             (400, write("\u20ac" * 21846)), (400, write(key="")), (400, write(key="dot.dot"))):
            with self.subTest(str(body)[:90]):
                reply = self.api.send("PUT", "/v1/secrets/known", body)
                self.assertEqual(reply.status, status, reply)
                if status == 400:
                    self.assert_refused(reply, 400, "GENERIC_BAD_REQUEST", reply.json["reason"], "secrets[0]")
                    self.assertNotIn(b"vvvv", reply.body)
        many = {"secrets": [{"secretKey": f"KEY{i}", "secretValue": "x"} for i in range(257)]}
        self.assert_refused(self.api.send("PUT", "/v1/secrets/new-set", many), 400, "GENERIC_BAD_REQUEST",
                            "INVALID_SECRET_SET_SIZE", "256", "257")

    def test_names_of_sets(self):
        for name in ("ab", "a" * 64, "Upper", "under_score", "-begins", "ends-", "two..dots", ".dot", "sp%20ace", "%C3%BCmlaut",
                     "a%2Fb"):
            with self.subTest(name):
                reply = self.api.send("PUT", f"/v1/secrets/{name}", write())
                self.assert_refused(reply, 400, "GENERIC_BAD_REQUEST", "INVALID_SECRET_SET_NAME", "set: must be")

    def test_a_refusal_leaves_the_connection_as_it_was(self):
        """A request that was read whole and refused is no reason to close."""
        self.api.send("GET", "/v1/regions")
        before = self.api.connection
        for _ in range(3):
            self.assertEqual(self.put(b"{").status, 400)
            self.assertEqual(self.api.send("GET", "/v1/nothing").status, 404)
            self.assertEqual(self.api.send("GET", "/v1/regions").status, 200)
        self.assertIs(self.api.connection, before)


if __name__ == "__main__":
    unittest.main()
