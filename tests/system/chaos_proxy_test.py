"""The chaos proxy does what each kind of weather says, and counts it."""

import socket
import socketserver
import threading
import time
import unittest

from chaos_proxy import ChaosProxy
from harness import wait_for


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.server.received += data
                self.request.sendall(data)
        except OSError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    received = b""


class ChaosProxyTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.proxy = ChaosProxy("test", self.server.server_address[1], seed=1)
        self.client = self.connect()

    def tearDown(self):
        self.client.close()
        self.proxy.close()
        self.server.shutdown()
        self.server.server_close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.proxy.port), timeout=10)

    def exchange(self, data, client=None):
        client = client or self.client
        client.sendall(data)
        answer = b""
        while len(answer) < len(data) and (piece := client.recv(65536)):
            answer += piece
        return answer

    def silent(self):
        self.client.settimeout(0.1)
        try:
            return self.client.recv(1) is None
        except TimeoutError:
            return True
        finally:
            self.client.settimeout(10)

    def test_good_weather_passes_everything(self):
        data = bytes(range(256)) * 4000
        threading.Thread(target=self.client.sendall, args=(data,)).start()
        answer = b""
        while len(answer) < len(data):
            answer += self.client.recv(65536)
        self.assertEqual(answer, data)

    def test_a_stall_one_way_holds_that_way_and_passes_later(self):
        self.exchange(b"a")
        self.proxy.set("stall", ["down"])
        self.client.sendall(b"bc")
        wait_for(lambda: self.proxy.counts["bytes held"] == 2, "held")
        self.assertEqual(self.server.received, b"abc")
        self.assertTrue(self.silent())
        self.proxy.clear()
        self.assertEqual(self.client.recv(9), b"bc")

    def test_a_new_connection_waits_out_a_stall(self):
        self.exchange(b"a")
        self.proxy.set("stall")
        late = self.connect()
        wait_for(lambda: self.proxy.counts["connections held"] == 1, "held")
        self.proxy.clear()
        self.assertEqual(self.exchange(b"x", late), b"x")
        late.close()

    def test_what_is_swallowed_never_comes_and_the_connection_stays_open_and_mute(self):
        self.exchange(b"a")
        self.proxy.set("swallow", ["up"])
        self.client.sendall(b"b")
        wait_for(lambda: self.proxy.counts["bytes swallowed"] == 1, "swallowed")
        self.proxy.clear()
        self.client.sendall(b"c")
        wait_for(lambda: self.proxy.counts["bytes swallowed"] == 2, "swallowed too: bytes before it are missing")
        self.assertEqual(self.server.received, b"a")
        self.assertTrue(self.silent())

    def test_a_delay_comes_first(self):
        self.proxy.set("delay", ["up"], 0.05)
        begin = time.monotonic()
        self.assertEqual(self.exchange(b"a"), b"a")
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        self.assertEqual(self.proxy.counts["pieces delayed"], 1)

    def test_a_drip_lets_one_byte_go_and_the_rest_when_the_weather_clears(self):
        self.exchange(b"a")
        self.proxy.set("drip", ["up"])
        self.client.sendall(b"bcd")
        wait_for(lambda: self.server.received == b"ab", "one byte")
        self.proxy.clear()
        wait_for(lambda: self.server.received == b"abcd", "the rest", 5)

    def test_a_reset_is_one(self):
        self.exchange(b"a")
        self.proxy.reset_all()
        with self.assertRaises(ConnectionResetError):
            self.client.recv(1)
        self.assertEqual(self.proxy.counts["connections reset"], 1)

    def test_a_cut_lets_a_part_of_the_next_piece_through(self):
        self.exchange(b"a")
        self.proxy.cut_all()
        self.client.sendall(b"0123456789")
        with self.assertRaises(ConnectionResetError):
            self.client.recv(100)
        self.assertEqual(self.proxy.counts["frames cut"], 1)
        self.assertLess(len(self.server.received), 11)


if __name__ == "__main__":
    unittest.main()
