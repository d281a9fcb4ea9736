#!/usr/bin/env python3
"""Prints the nonce, ciphertext and tag of vectors/two_keys.txt: bare XChaCha20-Poly1305 opens them under two different keys.

Poly1305 is linear in each ciphertext block, so one free block is enough to make the tags of two known keys equal. Key commitment is
there to refuse such a ciphertext; aead_test.cc shows that it does."""
import hashlib
import hmac
import struct

P = 2**130 - 5
PAD = 2**128
SALT, NONCE = b"\x03" * 32, b"\x04" * 24
INFO = b"keyferry/aead/v1\x01\x01"
AD = b"".join(struct.pack(">I", len(p)) + p for p in (b"\x01", b"\x01", b"ad"))


def hkdf(key):
    return hmac.new(hmac.new(SALT, key, hashlib.sha256).digest(), INFO + b"\x01", hashlib.sha256).digest()


def rounds(state):
    s = list(state)

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] ^= s[x]
            s[z] = ((s[z] << turn) | (s[z] >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return s


def poly_key(key):
    constants = struct.unpack("<4I", b"expand 32-byte k")
    mixed = rounds(constants + struct.unpack("<8I", key) + struct.unpack("<4I", NONCE[:16]))
    subkey = mixed[:4] + mixed[12:]
    start = constants + tuple(subkey) + (0, 0) + struct.unpack("<2I", NONCE[16:])
    block = struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(rounds(start), start)))
    r = int.from_bytes(block[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return r, int.from_bytes(block[16:32], "little")


def accumulate(r, ciphertext):
    padded = AD + bytes(-len(AD) % 16) + ciphertext + struct.pack("<QQ", len(AD), len(ciphertext))
    total = 0
    for i in range(0, len(padded), 16):
        total = (total + int.from_bytes(padded[i:i + 16], "little") + PAD) * r % P
    return total


def collide(keys):
    (r1, s1), (r2, s2) = (poly_key(key) for key in keys)
    for filler in range(2**16):
        first = filler.to_bytes(16, "little")
        # The free block is followed by the length block, so it is multiplied by r squared.
        gap = accumulate(r1, first + bytes(16)) - accumulate(r2, first + bytes(16))
        for carry in range(-4, 5):
            block = (s2 - s1 + carry * PAD - gap) * pow(r1 * r1 - r2 * r2, -1, P) % P
            if block >= PAD:
                continue
            ciphertext = first + block.to_bytes(16, "little")
            tags = {(accumulate(r, ciphertext) + s) % PAD for r, s in ((r1, s1), (r2, s2))}
            if len(tags) == 1:
                return ciphertext, tags.pop().to_bytes(16, "little")
    raise SystemExit("no collision")


if __name__ == "__main__":
    text, tag = collide([hkdf(b"\x01" * 32), hkdf(b"\x02" * 32)])
    print("# Written by two_key_ciphertext.py: id, nonce, ciphertext, tag; hex.")
    print("keys-01-and-02", NONCE.hex(), text.hex(), tag.hex())
