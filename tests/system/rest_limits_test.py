"""The gateway under clients that are slow and peers that die."""

import contextlib
import signal
import threading
import time
import unittest

import rest
from case import SystemTest
from harness import wait_for
from rest import RawConnection, Rest

HEADER_SECONDS = 10
BODY_SECONDS = 30
SLACK_SECONDS = 6


class RestLimitsTest(SystemTest):
    regions = ("us-west",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.key = cls.system.settings["api_key"]
        cls.user.ok("secrets", "set", "known", "KEY=value", "--wait")

    def setUp(self):
        self.api = self.client()
        self.addCleanup(self.api.close)

    def tearDown(self):
        super().tearDown()
        self.system.start()

    def client(self):
        client = Rest(self.system.plain_gateway_url, self.key)
        self.addCleanup(client.close)
        return client

    def ready(self):
        with contextlib.closing(self.client()) as client:
            return client.send("GET", "/readyz").status

    # Slow clients.

    def cut_off(self, first, rest_of_it, tls, limit_seconds, results):
        """Sends one byte a second; notes after how many seconds the server had enough, and what it answered."""
        door = Rest(self.system.gateway_url, ca=self.system.ca) if tls else Rest(self.system.plain_gateway_url)
        with RawConnection(door, limit_seconds + SLACK_SECONDS) as connection:
            start = time.monotonic()
            connection.send(first)
            stop = threading.Event()

            def drip():
                for byte in rest_of_it:
                    if stop.wait(1):
                        return
                    connection.send(bytes([byte]))
            # TLS connections of Python are not for two threads.
            dripper = threading.Thread(target=drip)
            if not tls:
                dripper.start()
            reply = connection.read_reply()
            results.append((time.monotonic() - start, reply, connection.is_closed()))
            stop.set()
            if not tls:
                dripper.join()

    def test_slow_headers_and_slow_bodies_are_cut_while_others_are_served(self):
        head = b"GET /v1/regions HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
        body = (f"PUT /v1/secrets/known HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n").encode()
        results = {}
        threads = []
        for name, first, limit in (("header", head, HEADER_SECONDS), ("body", body, BODY_SECONDS)):
            for tls in (False, True):
                results[name, tls] = []
                threads.append(threading.Thread(target=self.cut_off, args=(first, b"x" * 60, tls, limit, results[name, tls])))
        for thread in threads:
            thread.start()
        slowest = 0.0
        while any(thread.is_alive() for thread in threads):
            start = time.monotonic()
            self.assertEqual(self.api.send("GET", "/v1/secrets/known").status, 200)
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.2)
        self.assertLess(slowest, 3)
        for (name, tls), found in results.items():
            with self.subTest(name, tls=tls):
                seconds, reply, closed = found[0]
                limit = HEADER_SECONDS if name == "header" else BODY_SECONDS
                self.assertTrue(limit - 1 <= seconds <= limit + SLACK_SECONDS, seconds)
                self.assertEqual(reply.status, 408)
                self.assertEqual(rest.problems_of_error(reply), [])
                self.assertEqual((reply.json["reason"], reply.header("Connection")), ("REQUEST_TIMEOUT", "close"))
                self.assertTrue(closed)

    # What is behind the gateway, and the gateway itself, away and back.

    def test_while_the_api_is_away_everything_is_503_and_comes_back(self):
        self.assertEqual(self.ready(), 200)
        self.assertTrue(self.system.api.stop())
        for method, path, body in (("GET", "/v1/secrets", None), ("GET", "/v1/organizations/acme/secrets/known", None),
                                   ("GET", "/readyz", None),
                                   ("PUT", "/v1/secrets/known", {"secrets": [{"secretKey": "KEY", "secretValue": "other"}]}),
                                   ("GET", "/v1/events", None)):
            with self.subTest(f"{method} {path}"):
                start = time.monotonic()
                reply = self.api.send(method, path, body)
                self.assertEqual(reply.status, 503, reply)
                self.assertEqual(rest.problems_of_error(reply), [])
                self.assertEqual((reply.json["code"], reply.json["reason"]), ("UNAVAILABLE", "API_UNAVAILABLE"))
                self.assertGreaterEqual(int(reply.header("Retry-After")), 1)
                self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(self.api.send("GET", "/healthz").status, 200)
        self.system.api.start()
        wait_for(lambda: self.ready() == 200, "the gateway is ready again")
        self.assertEqual(self.api.send("GET", "/v1/secrets/known").status, 200)
        self.assertEqual(self.show("known")["generation"], 1)

    def test_a_stream_ends_when_the_api_goes_away(self):
        with self.api.events("/v1/events") as stream:
            stream.until(lambda event: event.name == "snapshot")
            self.system.api.kill()
            while stream.next():
                pass
        self.system.api.start()
        wait_for(lambda: self.ready() == 200, "the gateway is ready again")

    def test_a_gateway_that_was_killed_serves_again_after_a_start(self):
        self.assertEqual(self.api.send("GET", "/v1/secrets/known").status, 200)
        before = self.show("known")
        self.system.gateway.kill()
        with self.assertRaises(OSError):
            self.api.send("GET", "/v1/secrets/known")
        self.system.gateway.start()
        self.assertEqual(self.api.send("GET", "/v1/secrets/known").json["etag"], before["etag"])

    # Ends.

    def test_sigterm_answers_what_is_in_hand_and_ends_with_0(self):
        self.system.provisioners["us-west"].hold()
        try:
            self.user.ok("secrets", "set", "waited", "KEY=value")
            replies = []

            def wait():
                try:
                    replies.append(self.client().send("GET", "/v1/secrets/waited?wait=ready&timeout=60s"))
                except OSError as error:
                    replies.append(error)
            thread = threading.Thread(target=wait)
            idle = RawConnection(self.client())
            self.addCleanup(idle.socket.close)
            thread.start()
            time.sleep(0.3)
            self.system.gateway.send(signal.SIGTERM)
            self.assertTrue(idle.is_closed(), "an idle connection is closed")
            wait_for(lambda: not self.system.gateway.pid, "the gateway has ended", 30)
            thread.join(5)
        finally:
            self.system.provisioners["us-west"].release()
        self.assertEqual(self.system.gateway.process.returncode, 0)
        # Answered, or ended without half an answer.
        self.assertEqual(len(replies), 1)
        if not isinstance(replies[0], OSError):
            self.assertIn(replies[0].status, (200, 503), replies)
            self.assertEqual(replies[0].header("Connection"), "close")

    def test_a_gateway_starts_without_the_api_and_is_not_ready(self):
        self.assertTrue(self.system.gateway.stop())
        self.assertTrue(self.system.api.stop())
        self.system.gateway.start()
        self.assertEqual((self.client().send("GET", "/healthz").status, self.ready()), (200, 503))
        self.system.api.start()
        wait_for(lambda: self.ready() == 200, "the gateway is ready")


if __name__ == "__main__":
    unittest.main()
