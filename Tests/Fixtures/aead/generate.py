#!/usr/bin/env python3
"""Writes edge-cases.txt: ChaCha20-Poly1305 (RFC 8439) messages that are hard on vectorized arithmetic.

Computed with Python's integers, so nothing is shared with the implementations under test. Each line:
what it is for, key, nonce, associated data, ciphertext, tag, plaintext (hexadecimal, "-" when empty).
"""
import hashlib
import pathlib
import struct

P = (1 << 130) - 5


def chacha_block(key, counter, nonce):
    start = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce))
    s = start[:]

    def quarter(a, b, c, d):
        for x, y, z, rotation in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[x] = (s[x] + s[y]) & 0xFFFFFFFF
            s[z] ^= s[x]
            s[z] = (s[z] << rotation | s[z] >> (32 - rotation)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for d in range(4):
            quarter(d, (d + 1) % 4 + 4, (d + 2) % 4 + 8, (d + 3) % 4 + 12)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(s, start)))


def keystream(key, nonce, count):
    blocks = (chacha_block(key, 1 + i, nonce) for i in range(-(-count // 64)))
    return b"".join(blocks)[:count]


def one_time_key(key, nonce):
    block = chacha_block(key, 0, nonce)
    r = int.from_bytes(block[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return r, int.from_bytes(block[16:32], "little")


def padded(data):
    return data + bytes(-len(data) % 16)


def accumulate(r, data):
    total = 0
    for i in range(0, len(data), 16):
        total = (total + int.from_bytes(data[i:i + 16], "little") + (1 << 128)) * r % P
    return total


def authenticated(data, text):
    return padded(data) + padded(text) + struct.pack("<QQ", len(data), len(text))


def tag(key, nonce, data, sealed):
    r, s = one_time_key(key, nonce)
    return ((accumulate(r, authenticated(data, sealed)) + s) % (1 << 128)).to_bytes(16, "little")


def line(name, key, nonce, data, sealed):
    text = bytes(a ^ b for a, b in zip(sealed, keystream(key, nonce, len(sealed))))
    fields = (key, nonce, data, sealed, tag(key, nonce, data, sealed), text)
    return " ".join([name] + [field.hex() or "-" for field in fields])


def random_bytes(name, count):
    return hashlib.shake_256(name.encode()).digest(count)


def ending_at(target, length):
    """A message whose Poly1305 sum, before the last addition, is the target modulo 2^130-5."""
    for attempt in range(10_000):
        key = random_bytes(f"key {attempt}", 32)
        nonce = random_bytes(f"nonce {attempt} {length}", 12)
        r, _ = one_time_key(key, nonce)
        front = random_bytes(f"front {attempt}", length - 16)
        lengths = int.from_bytes(struct.pack("<QQ", 0, length), "little") + (1 << 128)
        inverse = pow(r, -1, P)
        before = (target * inverse - lengths) % P
        block = (before * inverse - accumulate(r, front) - (1 << 128)) % P
        if block < 1 << 128:
            return key, nonce, b"", front + block.to_bytes(16, "little")
    raise AssertionError("no such message")


def main():
    lines = []
    targets = {
        "sum-0": 0, "sum-1": 1, "sum-p-1": P - 1, "sum-2^128-1": (1 << 128) - 1, "sum-2^128": 1 << 128,
        "sum-2^129": 1 << 129, "sum-2^64-1": (1 << 64) - 1, "sum-4": 4,
        "limbs-26": (1 << 26) - 1 << 52, "limbs-44": (1 << 44) - 1 << 44, "limbs-top": P - (1 << 104),
    }
    for name, target in targets.items():
        for length in (16, 64, 256, 320, 1040):
            lines.append(line(f"{name}/{length}", *ending_at(target, length)))
    # Sums that carry through every limb on the way: blocks of ones and of zeros.
    for byte in (0x00, 0xFF, 0x7F, 0x80):
        for length in (0, 1, 15, 16, 17, 63, 64, 65, 128, 255, 256, 257, 511, 512, 513, 1024, 1420):
            key, nonce = random_bytes(f"constant {byte}", 32), random_bytes(f"constant {length}", 12)
            lines.append(line(f"constant-{byte:02x}/{length}", key, nonce, b"", bytes([byte]) * length))
    for count in (1, 12, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127):
        key, nonce = random_bytes("data", 32), random_bytes(f"data {count}", 12)
        lines.append(line(f"data/{count}", key, nonce, bytes([0xFF]) * count, bytes([0xFF]) * (count // 2)))
    # Nonces whose words are at their limits.
    for name, nonce in {
        "zero": bytes(12), "ones": b"\xff" * 12, "low": b"\xff" * 4 + bytes(8),
        "high": bytes(4) + b"\xff" * 8, "top-bit": bytes(11) + b"\x80",
    }.items():
        for length in (0, 64, 1024, 1420):
            for key in (bytes(32), b"\xff" * 32):
                lines.append(line(f"nonce-{name}/{length}", key, nonce, b"", random_bytes(name, length)))
    # RFC 8439 §2.8.2, as a check of this script.
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
            b"sunscreen would be it.")
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    data = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = bytes(a ^ b for a, b in zip(text, keystream(key, nonce, len(text))))
    assert tag(key, nonce, data, sealed).hex() == "1ae10b594f09e26a7e902ecbd0600691"
    lines.append(line("rfc8439-2.8.2", key, nonce, data, sealed))
    pathlib.Path(__file__).with_name("edge-cases.txt").write_text("\n".join(lines) + "\n")


main()
