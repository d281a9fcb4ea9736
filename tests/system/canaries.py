"""A thousand values that must show nowhere, and the places to look: files, what went over loopback, the memory of processes."""

import base64
import collections
import contextlib
import ctypes
import re
import secrets
import socket
import string
import struct
import subprocess
import threading
from pathlib import Path

VALUE_BYTES = 32
ALPHABET = string.ascii_letters + string.digits
ETH_P_ALL, ETH_P_IP = 3, 0x0800
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
PLENTY_BYTES = 1 << 26


def forms(value):
    """The value as it may stand in a file: plain, hex, and base64 at each of the three alignments."""
    yield value
    yield value.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value)
        yield encoded[4 if shift else 0:len(encoded) // 4 * 4 - 4]


class Canaries:
    """Random values, taken one by one. A half of one in any form is a hit."""

    def __init__(self, count):
        self.values = ["".join(secrets.choice(ALPHABET) for _ in range(VALUE_BYTES)) for _ in range(count)]
        self.left = count
        half = VALUE_BYTES // 2
        pieces = [value[start:start + half].encode() for value in self.values for start in (0, half)]
        self._patterns = b"\n".join(form for piece in pieces for form in (*forms(piece), piece.hex().upper().encode()))

    def take(self, count=1):
        assert count <= self.left, f"{count} are taken and {self.left} are left"
        start = len(self.values) - self.left
        self.left -= count
        return self.values[start:start + count] if count > 1 else self.values[start]

    def files_with(self, *directories, besides=()):
        """Paths of files below the directories that hold one; directories named in `besides` are passed over."""
        options = ["-l", "-r", "-D", "skip", *(f"--exclude-dir={name}" for name in besides)]
        return sorted(Path(line) for line in self._run(options, [str(path) for path in directories]))

    def in_memory(self, pid):
        """How many copies a process has; what its maps do not let anybody read is none."""
        pieces = []
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
                begin, end = (int(each, 16) for each in line.split()[0].split("-"))
                if "rw" in line.split()[1]:
                    with contextlib.suppress(OSError, OverflowError):
                        memory.seek(begin)
                        pieces.append(memory.read(end - begin))
        return self.count(b"\n".join(pieces))

    def count(self, content):
        return len(self._run(["-o"], ["-"], content))

    def _run(self, options, paths, content=None):
        # The patterns come by a descriptor: in a file they would be found, and in an argument seen.
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
            feeder = threading.Thread(target=cat.communicate, args=(self._patterns,))
            source = cat.stdout
            cat.stdout = None
            feeder.start()
            result = subprocess.run(["grep", "-saF", *options, "-f", f"/dev/fd/{source.fileno()}", "--", *paths], input=content,
                                    capture_output=True, pass_fds=[source.fileno()], env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"}, check=False)
            source.close()
            feeder.join()
        if result.returncode > 2 or result.stderr:
            raise AssertionError(f"grep: {result.returncode} {result.stderr[:300]!r}")
        return result.stdout.decode(errors="replace").splitlines()


def _filter_of_ports(ports):
    """Classic BPF: TCP over IPv4 from or to one of the ports."""
    checks = [(0x28, 0, 0, 12), (0x15, 0, None, ETH_P_IP), (0x30, 0, 0, 23), (0x15, 0, None, 6), (0xB1, 0, 0, 14)]
    for offset in (14, 16):
        checks.append((0x48, 0, 0, offset))
        checks += [(0x15, "accept", 0, port) for port in ports]
    program = checks + [(0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF)]
    refuse, accept = len(program) - 2, len(program) - 1
    packed = b""
    for index, (code, yes, no, k) in enumerate(program):
        yes = accept - index - 1 if yes == "accept" else yes
        no = refuse - index - 1 if no is None else no
        packed += struct.pack("HBBI", code, yes, no, k)
    return len(program), packed


class Capture:
    """What goes over loopback from and to the ports, each direction of each connection in the order of its bytes. Needs CAP_NET_RAW."""

    def __init__(self, ports):
        self.streams = collections.defaultdict(dict)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        count, program = _filter_of_ports(ports)
        self._program = ctypes.create_string_buffer(program)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(self._program)))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, PLENTY_BYTES)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                packet, address = self._socket.recvfrom(1 << 17)
                if address[2] != socket.PACKET_OUTGOING:
                    self._keep(packet[14:])

    def _keep(self, packet):
        header, total = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        source, target, number = struct.unpack("!HHI", packet[header:header + 8])
        # A total of 0 is a segment that the kernel has not cut yet.
        payload = packet[header + (packet[header + 12] >> 4) * 4:total or None]
        if payload:
            self.streams[source, target][number] = payload

    def stop(self):
        """Answers how many packets were lost; None the second time."""
        if self._ended.is_set():
            return None
        self._ended.set()
        self._thread.join()
        lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self._socket.close()
        return lost

    def bytes_of(self, port):
        """Each stream from or to the port, joined; by its two ports."""
        return {ports: self._joined(parts) for ports, parts in list(self.streams.items()) if port in ports}

    @staticmethod
    def _joined(parts):
        # Sequence numbers begin anywhere and go round.
        first = next(iter(parts))
        return b"".join(parts[number] for number in sorted(parts, key=lambda number: (number - first + (1 << 31)) % (1 << 32)))


def is_tls(stream):
    """Whether it begins with a handshake record and holds nothing but records, as far as they are whole."""
    if not re.match(rb"\x16\x03[\x01-\x04]", stream):
        return False
    at = 0
    while at + 5 <= len(stream):
        kind, major, length = stream[at], stream[at + 1], struct.unpack("!H", stream[at + 3:at + 5])[0]
        if kind not in (20, 21, 22, 23) or major != 3:
            return False
        at += 5 + length
    return True
