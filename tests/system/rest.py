"""HTTP as the tests speak it: what any client would send (Rest), what none would (RawConnection), and event streams."""

import contextlib
import http.client
import json
import socket
import ssl
import urllib.parse

TIMEOUT_SECONDS = 30
# Keep-alive comments of a stream, 15 s apart, before a test that waits for an event gives up.
QUIET_COMMENTS = 2
ERROR_MEMBERS = {"error", "code", "reason", "requestId"}


class Reply:
    """An answer: `header(name)` is None when absent, and no header may come twice."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        values = [value for each, value in self.headers if each.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


def problems_of_error(reply):
    """What is wrong with the form of an error answer, as sentences; empty when nothing is."""
    try:
        body = reply.json
    except ValueError:
        return [f"the body is no JSON: {reply}"]
    if not isinstance(body, dict) or not ERROR_MEMBERS <= set(body) <= ERROR_MEMBERS | {"details"}:
        return [f"an error has the members {sorted(ERROR_MEMBERS)} and may have details: {reply}"]
    problems = []
    if not all(isinstance(body[name], str) and body[name] for name in ERROR_MEMBERS):
        problems.append(f"empty or no text: {reply}")
    if body["requestId"] != reply.header("X-Request-Id"):
        problems.append(f"requestId is not X-Request-Id ({reply.header('X-Request-Id')}): {reply}")
    if not (reply.header("Content-Type") or "").startswith("application/json"):
        problems.append(f"Content-Type is {reply.header('Content-Type')}: {reply}")
    if reply.header("Cache-Control") != "no-store":
        problems.append(f"Cache-Control is {reply.header('Cache-Control')}: {reply}")
    if (reply.status == 401) != (reply.header("WWW-Authenticate") is not None):
        problems.append(f"401 and WWW-Authenticate go together: {reply}")
    if body.get("details") == {}:
        problems.append(f"details are left out when there are none: {reply}")
    return problems


class Rest:
    """One client of one door, with one kept-alive connection. `key` None: no Authorization header."""

    def __init__(self, url, key=None, ca=None):
        self.parts = urllib.parse.urlsplit(url)
        self.key = key
        self.context = ssl.create_default_context(cafile=ca) if self.parts.scheme == "https" else None
        self.connection = None

    def with_key(self, key):
        other = Rest.__new__(Rest)
        other.parts, other.key, other.context, other.connection = self.parts, key, self.context, None
        return other

    def open(self, timeout=TIMEOUT_SECONDS):
        if self.context:
            return http.client.HTTPSConnection(self.parts.netloc, context=self.context, timeout=timeout)
        return http.client.HTTPConnection(self.parts.netloc, timeout=timeout)

    def socket(self, timeout=TIMEOUT_SECONDS):
        connection = self.open(timeout)
        connection.connect()
        return connection.sock

    def send(self, method, path, body=None, raw=None, headers=None):
        """`body` becomes JSON; `raw` goes as it is; `headers` are pairs or a dictionary, a None value removes one of ours."""
        fields = {"Accept": "*/*"}
        if self.key is not None:
            fields["Authorization"] = f"Bearer {self.key}"
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            fields["Content-Type"] = "application/json"
            fields["Content-Length"] = str(len(raw))
        pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
        given = {name.lower() for name, _ in pairs}
        pairs = [pair for pair in fields.items() if pair[0].lower() not in given] + [pair for pair in pairs if pair[1] is not None]
        return self._exchange(method, path, pairs, raw)

    def _exchange(self, method, path, pairs, raw):
        # A connection that the server closed while it was idle says so at the first byte: then, once, a new one.
        for connection in [self.connection, None] if self.connection else [None]:
            self.connection = connection or self.open()
            try:
                self.connection.putrequest(method, path, skip_accept_encoding=True)
                for name, value in pairs:
                    self.connection.putheader(name, value)
                self.connection.endheaders(raw)
                response = self.connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                if connection is None:
                    raise
            except OSError:
                self.close()
                raise
        reply = Reply(response.status, response.getheaders(), response.read())
        if response.will_close:
            self.close()
        return reply

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def raw(self, data, timeout=TIMEOUT_SECONDS):
        """Sends bytes and reads all that comes until the server closes (or answers, for what leaves the connection open)."""
        with RawConnection(self, timeout) as connection:
            connection.send(data)
            return connection.read_reply()

    @contextlib.contextmanager
    def events(self, path, timeout=TIMEOUT_SECONDS):
        headers = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        with contextlib.closing(self.open(timeout)) as connection:
            connection.request("GET", path, headers=headers)
            # It holds the socket too, which is closed when both are.
            with connection.getresponse() as response:
                yield EventStream(response)


class RawConnection:
    """A connection that a test writes byte by byte."""

    def __init__(self, rest, timeout=TIMEOUT_SECONDS):
        self.socket = rest.socket(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        # The server may answer and close before it has read all of a request that it refuses.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.socket.sendall(data)

    def read_reply(self):
        """None when the server closed without an answer."""
        response = http.client.HTTPResponse(self.socket)
        try:
            response.begin()
            return Reply(response.status, response.getheaders(), response.read())
        except (http.client.RemoteDisconnected, http.client.BadStatusLine, ConnectionResetError):
            return None

    def is_closed(self):
        """Waits until the server closes; False when it goes on for the whole timeout."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except (ConnectionResetError, ssl.SSLError):
            return True
        except (socket.timeout, TimeoutError):
            return False


class Event:
    def __init__(self, name, data):
        self.name = name
        self.data = json.loads(data) if data else None

    def __repr__(self):
        return f"{self.name}: {self.data}"


class EventStream:
    """Server-sent events, one at a time; comments are counted."""

    def __init__(self, response):
        self.response = response
        self.status = response.status
        self.comment_count = 0

    def reply(self):
        return Reply(self.status, self.response.getheaders(), self.response.read())

    def lines(self):
        while line := self.response.readline():
            yield line.decode().rstrip("\n")

    def next(self, comments=None):
        """None at the stream's end, and after so many comments in all."""
        name, data = "message", []
        for line in self.lines():
            if line.startswith(":"):
                self.comment_count += 1
                if self.comment_count == comments:
                    return None
            elif not line:
                if data:
                    return Event(name, "\n".join(data))
                name = "message"
            else:
                field, _, value = line.partition(":")
                value = value[1:] if value.startswith(" ") else value
                if field == "event":
                    name = value
                elif field == "data":
                    data.append(value)
        return None

    def until(self, condition):
        """The first event that fulfils the condition."""
        seen, comments = [], self.comment_count
        while (event := self.next(comments + QUIET_COMMENTS)) and not condition(event):
            seen.append(event)
        if not event:
            raise AssertionError(f"{'only comments came' if self.comment_count > comments else 'the stream ended'} after {seen}")
        return event
