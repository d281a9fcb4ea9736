#!/usr/bin/env python3
"""Writes hostile_names.tsv and hostile_tokens.tsv: names and credentials that somebody might try, and the answer that each must get.

    tests/corpus/make.py [--check]

One line each: kind, answer (`accepted`: it is this name, byte for byte; `refused`), the text with \\xHH for every byte that is no printable ASCII, a
backslash or a space. The answers come from the rules as they are written down (DESIGN.md sections 4 and 10), expressed again here, not from the code
under test. The seed is fixed, so that the files are the same each time; --check says whether they are.
"""
import argparse
import random
import re
import sys
import zlib
from pathlib import Path

SEED = 20261123
HERE = Path(__file__).resolve().parent
DOMAIN = "keyferry.test"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

LABEL = rb"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
RULES = {  # Pattern, least and most bytes.
    "organization": (LABEL, 1, 63),
    "region": (LABEL, 1, 63),
    "provisioner": (LABEL, 1, 63),
    "agent": (LABEL, 1, 54),
    "set": (LABEL + rb"(?:\." + LABEL + rb")*", 3, 63),
    "key": (rb"[A-Za-z0-9_-]+", 1, 64),
}
ROLES = ("admin", "member", "deployer", "viewer")

# What has broken others: paths, globs, escapes, case, look-alikes, reserved words, separators of formats that names pass through.
PIECES = [
    "", ".", "..", "...", "/", "//", "../", "../..", "..\\", "a/..", "a/../b", "./a", "a/.", "a//b", "/a", "a/", "*", "?", "a*", "*a", "[a]", "{a}", "~", "~root",
    "-", "--", "-a", "a-", "--help", "-rf", "a--b", "_", "_a", "a_b", "a b", " a", "a ", "\ta", "a\n", "a\r\n", "a\r\nb: c", "\0", "a\0", "a\0b", "\x7f", "\x1b[2J",
    "%2e%2e", "%2F", "%00", "a%20b", "%c0%ae", "%u002e", "&amp;", "&#46;", "\\u002e", "\\x2e", "$(id)", "`id`", "${HOME}", "${jndi:ldap://x}", "{{7*7}}", "<b>", "'",
    "\"", "' or '1'='1", "a;b", "a|b", "a&b", "a,b", "a:b", "a=b", "a@b", "a#b", "a?b", "a!b", "a+b", "a\\b", "a^b", "(a)", "a$", "^a$",
    "root", "ROOT", "Root", "admin", "system", "default", "null", "nil", "none", "true", "false", "undefined", "nan", "inf", "0", "-0", "00", "1e9", "0x10", "con",
    "aux", "nul", "com1", "lpt1", "prn", "self", "me", "all", "any", "every", "everyone", "nobody", "anonymous", "public", "private", "internal", "localhost", "127.0.0.1",
    "::1", "xn--a", "xn--nxasmq6b", "kube-system", "keyferry", "www", "api", "test", "acme", "ACME", "Acme", "aCME", "acme ", "acme.", ".acme", "acme/", "acme..", "acmе",
    "аcme", "асme", "ａｃｍｅ", "acme\u200b", "\u200bacme", "ac\u00adme", "acme\u0301", "áçmé", "a\u0300\u0301\u0302", "ⅰ", "ﬁ", "ﬀ", "ß", "ẞ", "ſ", "K", "İ", "ı", "Å", "①",
    "𝒶𝒸𝓂𝑒", "🔑", "👩‍🚀", "🇪🇺", "\u202eemca", "\u2066a\u2069", "\ufeffacme", "acme\ufeff", "\u2028", "\u00a0", "\u3000", "．．", "／", "∕", "⁄", "․․", "‥", "﹒", "。", "＊",
    "‐", "–", "—", "−", "­", "٠", "१", "中文", "日本", "한국", "עברית", "العربية", "ไทย", "a" * 53, "a" * 54, "a" * 55, "a" * 62, "a" * 63, "a" * 64, "a" * 65, "a" * 255,
    "a" * 256, "a" * 1024, "a" * 4096, "a." * 31 + "a", "a." * 32, ".".join(["a"] * 32), "a..b", "a.b", "a.-b", "a-.b", "ab.cd", "ab-.cd", "a" * 61 + ".a", "a" * 62 + ".a",
    "LD_PRELOAD", "PATH", "__proto__", "constructor", "prototype", "toString", "a-b", "a1", "1a", "a-1-b", "abc", "a-b.c-d", "x" * 2 + "-" * 59 + "y", "é" * 31, "é" * 32,
]
RAW = [b"\xff", b"\xfe\xff", b"a\x80", b"\xc0\xaf", b"\xc0\xae\xc0\xae", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"acme\xcc", b"\xc3", b"\x00" * 8]


def bytes_of(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def fits(rule, text):
    pattern, least, most = rule
    return least <= len(text) <= most and re.fullmatch(pattern, text, re.DOTALL) is not None and not text.endswith(b"\n")


def mutated(dice, text):
    """One byte of a good name changed, doubled, dropped or put in."""
    place = dice.randrange(len(text) + 1)
    odd = bytes([dice.choice([0, 9, 10, 13, 32, 37, 42, 46, 47, 64, 65, 90, 92, 95, 127, 128, 192, 255, dice.randrange(256)])])
    kind = dice.randrange(4)
    if kind == 0:
        return text[:place] + odd + text[place:]
    if kind == 1:
        return text[:place] + odd + text[place + 1:]
    if kind == 2:
        return text[:place] + text[place + 1:]
    return text[:place] + text[place:place + 1] * 2 + text[place + 1:]


def names(dice):
    good = {"organization": b"acme-prod-1", "region": b"us-west-2", "provisioner": b"p1-standby", "agent": b"support-bot", "set": b"app.db-1.prod", "key": b"OPENAI_API-KEY2"}
    for kind, rule in RULES.items():
        texts = [bytes_of(piece) for piece in PIECES] + RAW + [mutated(dice, good[kind]) for _ in range(60)]
        for text in dict.fromkeys(texts):
            yield kind, fits(rule, text), text


def spiffe_ids(dice):
    label = re.compile(LABEL.decode())

    def is_label(text):
        return 1 <= len(text) <= 63 and label.fullmatch(text) is not None

    def is_good(raw):
        try:
            text = raw.decode("ascii")
        except UnicodeDecodeError:
            return False
        if len(raw) > 2048 or "\n" in text or not text.startswith(f"spiffe://{DOMAIN}/"):
            return False
        parts = text[len("spiffe://"):].split("/")[1:]
        if not all(is_label(part) for part in parts):
            return False
        if len(parts) == 2:
            return parts[0] == "operator"
        if len(parts) == 4:
            return parts[0] == "region" and parts[2] == "provisioner"
        return len(parts) == 6 and parts[0] == "organization" and parts[2] == "role" and parts[3] in ROLES and parts[4] == "service"

    shapes = [f"spiffe://{DOMAIN}/operator/{{}}", f"spiffe://{DOMAIN}/region/{{}}/provisioner/p1", f"spiffe://{DOMAIN}/region/us-west/provisioner/{{}}",
              f"spiffe://{DOMAIN}/organization/{{}}/role/viewer/service/ci", f"spiffe://{DOMAIN}/organization/acme/role/{{}}/service/ci"]
    some = dice.sample(PIECES, 60) + ["..", "ada", "root", "admin", "viewer", "Admin", "%2e%2e", "a/../b", "*", "ada?x=1", "ada#x", "ada/", "a" * 63, "a" * 64]
    texts = [shape.format(piece).encode() for shape in shapes for piece in dict.fromkeys(some)]
    base = f"spiffe://{DOMAIN}/operator/ada"
    texts += [text.encode() for text in (
        "", "spiffe://", "spiffe:///operator/ada", "SPIFFE://keyferry.test/operator/ada", "spiffe:/keyferry.test/operator/ada", "https://keyferry.test/operator/ada",
        "spiffe://KEYFERRY.test/operator/ada", "spiffe://keyferry.test./operator/ada", "spiffe://keyferry.test:443/operator/ada", "spiffe://u@keyferry.test/operator/ada",
        "spiffe://other.test/operator/ada", "spiffe://keyferry.test.evil.test/operator/ada", "spiffe://evilkeyferry.test/operator/ada", "spiffe://keyferry.test", "spiffe://keyferry.test/",
        "spiffe://keyferry.test//operator/ada", "spiffe://keyferry.test/operator//ada", "spiffe://keyferry.test/operator", "spiffe://keyferry.test/operator/ada/bob",
        "spiffe://keyferry.test/Operator/ada", "spiffe://keyferry.test/operators/ada", "spiffe://keyferry.test/region/us-west/provisioner", "spiffe://keyferry.test/region/us-west",
        "spiffe://keyferry.test/provisioner/p1/region/us-west", "spiffe://keyferry.test/region/eu-1/../us-1/provisioner/p1", base + "\0", base + "\n", " " + base, base + " ", base + "," + base,
        base + "/" + "a/" * 1100, base[:-1] + "а")]
    texts += [mutated(dice, base.encode()) for _ in range(60)]
    for text in dict.fromkeys(texts):
        yield "spiffe", is_good(text), text


def checksum(body):
    number, digits = zlib.crc32(body.encode("latin-1")), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = BASE62[digit] + digits
    return digits


def token(dice, prefix):
    body = prefix + "".join(dice.choices(BASE62, k=10)) + "_" + "".join(dice.choices(BASE62, k=30))
    return body + checksum(body)


def tokens(dice):
    """A form that is right is `accepted` by the parser; no server knows any of them."""
    for kind, prefix in (("apiKey", "kf_"), ("enrollmentToken", "ke_")):
        other = "ke_" if prefix == "kf_" else "kf_"
        form = re.compile(re.escape(prefix) + r"[0-9A-Za-z]{10}_[0-9A-Za-z]{36}")

        def is_good(raw):
            text = raw.decode("latin-1")
            return form.fullmatch(text) is not None and not text.endswith("\n") and checksum(text[:44]) == text[44:]

        one = token(dice, prefix)
        texts = [token(dice, prefix).encode() for _ in range(40)] + [token(dice, other).encode() for _ in range(5)]
        texts += [mutated(dice, one.encode()) for _ in range(150)]
        texts += [one[:place].encode() for place in range(len(one))]
        texts += [one.swapcase().encode(), one.upper().encode(), one.lower().encode(), (one + "=").encode(), (one + " ").encode(), (" " + one).encode(), (one + "\0").encode(),
                  (one + "\n").encode(), (one + one).encode(), one.replace("_", "-").encode(), one.replace("_", "").encode(), one.encode("utf-16-le"), one[::-1].encode(),
                  one.replace("k", "к").encode(), (one[:3] + "../" + one[6:]).encode(), (one[:3] + "%30" + one[6:]).encode(), (one[:13] + "__" + one[15:]).encode()]
        swapped = token(dice, prefix)
        texts += [(one[:13] + swapped[13:]).encode(), (one[:44] + swapped[44:]).encode(), (one[:44] + "000000").encode()]
        texts += [bytes_of(piece) for piece in dice.sample(PIECES, 60)] + RAW
        # No JSON Web Token means anything here.
        texts += [b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", b"eyJhbGciOiJIUzI1NiJ9.e30.AAAA", b"e30.e30.e30", b"..", b"a.b.c"]
        for text in dict.fromkeys(texts):
            yield kind, is_good(text), text


def headers(dice):
    """Values of `authorization`, as one value; accepted: a token is taken out of it, which is then judged by itself."""
    good = token(dice, "kf_")
    values = []
    for scheme in ("Bearer ", "bearer ", "BEARER ", "bEaReR "):
        values.append((scheme + good, True))
    for value in ("", "Bearer", "Bearer" + good, "Bearer\t" + good, " Bearer " + good, "Bearer:" + good, "Bearer=" + good, "Token " + good, "Basic " + good, "Basic a2Y6eA==",
                  "Digest " + good, "Negotiate " + good, "ApiKey " + good, "Beare " + good, "Bearers " + good, "Веarer " + good, "Bearer\u00a0" + good, "Bearer%20" + good, good,
                  "JWT " + good, "null", "undefined", "\"Bearer " + good + "\"", "'Bearer " + good + "'", "Bearer\u3000" + good, "OAuth " + good, "AWS4-HMAC-SHA256 x", "bearer_" + good):
        values.append((value, False))
    # Two spaces, or a second credential, are part of the token, which is then none.
    for value in ("Bearer  " + good, "Bearer " + good + ", Bearer " + good, "Bearer " + good + "," + good, "Bearer " + good + ";", "Bearer "):
        values.append((value, True))
    for value, accepted in values:
        yield "bearer", accepted, value.encode()


def escaped(text):
    return "".join(chr(byte) if 0x21 <= byte <= 0x7e and byte != 0x5c else f"\\x{byte:02x}" for byte in text)


def lines(entries):
    return "".join(f"{kind}\t{'accepted' if good else 'refused'}\t{escaped(text)}\n" for kind, good, text in entries)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    dice = random.Random(SEED)
    files = {"hostile_names.tsv": lines([*names(dice), *spiffe_ids(dice)]), "hostile_tokens.tsv": lines([*tokens(dice), *headers(dice)])}
    for name, text in files.items():
        if not options.check:
            (HERE / name).write_text(text, encoding="ascii")
        elif (HERE / name).read_text(encoding="ascii") != text:
            sys.exit(f"{name} is not what make.py makes")


if __name__ == "__main__":
    main()
