"""Status as it happens: server-sent events and `?wait=ready`."""

import contextlib
import threading
import time
import unittest

import rest
from case import SystemTest
from harness import wait_for
from rest import Rest

PREFIXES = ("/v1", "/v1/organizations/acme")
# Above the API's limit of watches that one organization may have at a time: leaked ones would be refused.
STREAM_COUNT = 100


class RestEventsTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = Rest(cls.system.plain_gateway_url, cls.system.settings["api_key"])
        cls.tls = Rest(cls.system.gateway_url, cls.system.settings["api_key"], cls.system.ca)

    def tearDown(self):
        super().tearDown()
        self.api.close()

    @property
    def west(self):
        return self.system.provisioners["us-west"]

    def write(self, name, value):
        reply = self.api.send("PUT", f"/v1/secrets/{name}", {"secrets": [{"secretKey": "KEY", "secretValue": value}]})
        self.assertEqual(reply.status, 202, reply)
        return reply.json

    @staticmethod
    def of(name, status=None):
        return lambda event: event.data.get("name") == name and (not status or event.data.get("status") == status)

    def stream_count(self):
        with contextlib.closing(Rest(self.system.metrics_url)) as door:
            text = door.send("GET", "/metrics").body.decode()
        return int(float(next(line.split()[1] for line in text.splitlines() if line.startswith("keyferry_gateway_event_streams "))))

    # Events.

    def test_a_stream_tells_what_is_and_then_what_changes(self):
        for number, prefix in enumerate(PREFIXES):
            for one in (False, True):
                name = f"seen-{number}-{int(one)}"
                with self.subTest(prefix=prefix, one=one):
                    self.set(name, "KEY=value")
                    path = f"{prefix}/secrets/{name}/events" if one else f"{prefix}/events"
                    with self.tls.events(path) as stream:
                        self.check_stream(stream, name, one)

    def check_stream(self, stream, name, one):
        self.assertEqual(stream.status, 200)
        headers = dict(stream.response.getheaders())
        self.assertTrue(headers["Content-Type"].startswith("text/event-stream"))
        self.assertEqual(headers["Cache-Control"], "no-store")
        first = stream.until(self.of(name))
        self.assertEqual(first.name, "set")
        self.assertIn(first.data, self.api.send("GET", "/v1/secrets").json["sets"])
        stream.until(lambda event: event.name == "snapshot")
        self.write(name, "newer")
        ready = stream.until(lambda event: event.data.get("name") == name and event.data.get("readyGeneration") == 2)
        self.assertEqual((ready.name, ready.data["status"], ready.data["generation"]), ("set", "ready", 2))
        self.assertEqual(self.api.send("DELETE", f"/v1/secrets/{name}").status, 200)
        deleted = stream.until(lambda event: event.name == "deleted")
        self.assertEqual(deleted.data, {"name": name})
        if one:
            self.write(name, "again")
            self.assertEqual(stream.until(self.of(name)).data["generation"], 1)

    def test_no_value_is_in_any_event(self):
        self.set("quiet", "KEY=value-kept-out")
        with self.api.events("/v1/secrets/quiet/events") as stream:
            seen = [stream.next(), stream.next()]
            self.write("quiet", "value-kept-out-too")
            seen.append(stream.until(lambda event: event.data.get("readyGeneration") == 2))
        self.assertNotIn("kept-out", str(seen))

    def test_pending_is_told_before_ready(self):
        self.west.hold()
        try:
            self.write("slow", "value")
            with self.api.events("/v1/secrets/slow/events") as stream:
                stream.until(self.of("slow", "pending"))
                self.west.release()
                stream.until(self.of("slow", "ready"))
        finally:
            self.west.release()

    def test_a_stream_of_one_region_tells_of_no_other(self):
        self.set("in-the-east", "KEY=value", "--region", "us-east")
        self.set("in-the-west", "KEY=value")
        with self.api.events("/v1/events?region=us-east") as stream:
            names = []
            while (event := stream.next()).name != "snapshot":
                names.append(event.data["name"])
            self.assertIn("in-the-east", names)
            self.assertNotIn("in-the-west", names)

    def test_refusals_come_as_answers_and_not_as_streams(self):
        self.set("listened", "KEY=value")
        for client, path, status, reason in (
                (self.api, "/secrets/absent/events", 404, "SECRET_SET_NOT_FOUND"),
                (self.api, "/secrets/No_Name/events", 400, "INVALID_SECRET_SET_NAME"),
                (self.api, "/events?region=a&region=b", 400, "INVALID_QUERY"),
                (self.api.with_key(None), "/events", 401, "UNAUTHENTICATED"),
                (self.api.with_key("kf_nonsense"), "/secrets/listened/events", 401, "UNAUTHENTICATED")):
            for prefix in PREFIXES:
                with self.subTest(prefix + path), client.events(prefix + path) as stream:
                    reply = stream.reply()
                    self.assertEqual(reply.status, status, reply)
                    self.assertEqual(rest.problems_of_error(reply), [])
                    self.assertEqual(reply.json["reason"], reason)

    def test_clients_that_leave_take_their_streams_with_them(self):
        self.set("left", "KEY=value")
        for number in range(STREAM_COUNT):
            with self.api.events("/v1/secrets/left/events") as stream:
                self.assertEqual(stream.status, 200, f"stream {number}: {stream.status}")
                stream.next()
            # Noticing takes the gateway a moment.
            if number % 25 == 24:
                wait_for(lambda: self.stream_count() == 0, "no stream is left in the gateway", 5)
        with self.api.events("/v1/secrets/left/events") as stream:
            stream.next()
            self.assertEqual(self.stream_count(), 1)

    def test_a_quiet_stream_is_kept_alive_by_comments(self):
        self.set("still", "KEY=value")
        with self.api.events("/v1/secrets/still/events", timeout=25) as stream:
            stream.until(lambda event: event.name == "snapshot")
            line = stream.response.readline()
        self.assertTrue(line.startswith(b":"), line)

    # Waiting.

    def waiting(self, name, prefix="/v1"):
        """A request that waits for a minute, in the background."""
        client, replies = self.api.with_key(self.api.key), []
        self.addCleanup(client.close)
        thread = threading.Thread(target=lambda: replies.append(client.send("GET",
                                                                            f"{prefix}/secrets/{name}?wait=ready&timeout=60s")))
        thread.start()
        return thread, replies

    def test_wait_ends_when_the_region_has_the_set(self):
        self.west.hold()
        try:
            written = self.write("awaited", "value")
            waits = [self.waiting("awaited", prefix) for prefix in PREFIXES]
            time.sleep(0.3)
            self.assertTrue(all(thread.is_alive() for thread, _ in waits), "nothing to wait for was waited for")
        finally:
            self.west.release()
        for thread, replies in waits:
            thread.join(20)
            self.assertEqual(replies[0].status, 200, replies)
            self.assertEqual((replies[0].json["status"], replies[0].json["readyGeneration"]), ("ready", written["generation"]))
            self.assertIs(replies[0].json["timedOut"], False)

    def test_wait_ends_as_pending_when_its_time_is_over(self):
        self.west.hold()
        try:
            self.write("not-yet", "value")
            for timeout, least, most in (("1s", 0.9, 8), ("300ms", 0.25, 8)):
                start = time.monotonic()
                reply = self.api.send("GET", f"/v1/secrets/not-yet?wait=ready&timeout={timeout}")
                self.assertEqual((reply.status, reply.json["status"], reply.json["timedOut"]), (200, "pending", True), reply)
                self.assertTrue(least <= time.monotonic() - start <= most, timeout)
        finally:
            self.west.release()

    def test_wait_ends_when_the_set_is_deleted(self):
        self.west.hold()
        try:
            self.write("withdrawn", "value")
            thread, replies = self.waiting("withdrawn")
            time.sleep(0.3)
            self.assertEqual(self.api.send("DELETE", "/v1/secrets/withdrawn").status, 200)
            thread.join(20)
            self.assertEqual((replies[0].status, replies[0].json["reason"]), (404, "SECRET_SET_NOT_FOUND"), replies)
        finally:
            self.west.release()


class RestEventsRestartTest(SystemTest):
    regions = ("us-west",)

    def test_a_wait_rides_out_a_restart_of_the_api(self):
        api = Rest(self.system.plain_gateway_url, self.system.settings["api_key"])
        self.addCleanup(api.close)
        west = self.system.provisioners["us-west"]
        for number, end in enumerate((self.system.api.kill, self.system.api.stop), 1):
            with self.subTest(end.__name__):
                west.hold()
                try:
                    written = api.send("PUT", "/v1/secrets/patient", {"secrets": [{"secretKey": "KEY", "secretValue": f"v{number}"}]})
                    self.assertEqual(written.status, 202, written)
                    replies = []
                    waiter = threading.Thread(target=lambda: replies.append(
                        api.send("GET", "/v1/secrets/patient?wait=ready&timeout=60s")))
                    waiter.start()
                    time.sleep(0.3)
                    end()
                    time.sleep(0.5)
                    self.assertEqual(replies, [], "the wait ended with the API")
                    self.system.api.start()
                finally:
                    west.release()
                waiter.join(40)
                self.assertEqual((replies[0].status, replies[0].json.get("status"), replies[0].json.get("timedOut")),
                                 (200, "ready", False), replies)
                self.assertEqual(replies[0].json["readyGeneration"], written.json["generation"])

    def test_a_wait_for_an_api_that_stays_away_ends_with_its_timeout(self):
        api = Rest(self.system.plain_gateway_url, self.system.settings["api_key"])
        self.addCleanup(api.close)
        self.system.api.kill()
        try:
            start = time.monotonic()
            reply = api.send("GET", "/v1/secrets/any?wait=ready&timeout=2s")
            self.assertEqual((reply.status, reply.json["reason"]), (503, "API_UNAVAILABLE"), reply)
            self.assertTrue(1 <= time.monotonic() - start <= 8)
        finally:
            self.system.api.start()


class RestEventsDrainTest(SystemTest):
    regions = ("us-west",)

    def test_a_drain_ends_streams_cleanly(self):
        self.set("drained", "KEY=value")
        api = Rest(self.system.plain_gateway_url, self.system.settings["api_key"])
        with api.events("/v1/secrets/drained/events") as stream:
            stream.until(lambda event: event.name == "snapshot")
            self.assertTrue(self.system.gateway.stop(), "the gateway ends on SIGTERM while a stream is open")
            # A stream that was cut would raise IncompleteRead.
            self.assertEqual(stream.response.read(), b"")
        self.assertEqual(self.system.gateway.process.returncode, 0)


if __name__ == "__main__":
    unittest.main()
