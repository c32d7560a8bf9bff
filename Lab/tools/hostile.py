#!/usr/bin/env python3
"""Sends hostile bytes: hostile.py SEED SECONDS KIND TARGET [COUNT]

KIND is http, control or relay (TCP, ADDRESS:PORT), udp (ADDRESS:PORT), local (path of a Unix socket),
or half-open (ADDRESS:PORT and COUNT connections that begin a control handshake and stay silent).
What is sent follows from the seed alone; only the timing differs between runs.
"""
import base64
import random
import socket
import struct
import sys
import time

seed, seconds, kind, where = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4]
rng = random.Random(f"{seed} {kind}")


def address():
    host, port = where.rsplit(":", 1)
    return (host, int(port))


def connect():
    if kind == "local":
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(where)
    else:
        sock = socket.create_connection(address(), timeout=2)
    sock.settimeout(0.2)
    return sock


def noise(limit=600):
    return rng.randbytes(rng.randrange(limit))


def damaged(data):
    """The message with some bytes changed, cut off or doubled."""
    data = bytearray(data)
    for _ in range(rng.randrange(4)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    choice = rng.random()
    if choice < 0.3:
        data = data[: rng.randrange(len(data) + 1)]
    elif choice < 0.4:
        data += bytes(data)
    return bytes(data)


def http():
    path = rng.choice(["/", "/key?v=113", "/key?v=99999999999999999999", "/ts2021", "/derp", "/derp/latency-check",
                       "/generate_204", "/register/" + "a" * rng.randrange(3000), "/%00", "/../../etc/passwd"])
    headers = "".join(
        rng.choice(["Host: mesh.test\r\n", "Content-Length: -1\r\n", "Content-Length: 99999999999\r\n",
                    "Transfer-Encoding: chunked\r\n", "Upgrade: DERP\r\n", "Upgrade: websocket\r\n",
                    "Connection: Upgrade\r\n", "X-Forwarded-For: 1.2.3.4\r\n",
                    "X: " + "y" * rng.randrange(20000) + "\r\n"])
        for _ in range(rng.randrange(8)))
    return damaged(f"{rng.choice(['GET', 'POST', 'PRI', 'BREW'])} {path} HTTP/1.1\r\n{headers}\r\n".encode() + noise())


def control():
    """A TS2021 upgrade whose first message is of the right shape, then records of any length."""
    first = struct.pack(">HBH", 113, 1, 96) + rng.randbytes(96)
    if rng.random() < 0.5:
        first = damaged(first)
    request = ("POST /ts2021 HTTP/1.1\r\nHost: mesh.test\r\nUpgrade: tailscale-control-protocol\r\n"
               f"Connection: upgrade\r\nX-Tailscale-Handshake: {base64.b64encode(first).decode()}\r\n\r\n").encode()
    records = b"".join(struct.pack(">BH", rng.randrange(6), rng.randrange(65536)) + noise() for _ in range(3))
    return request, records


def relay():
    """A DERP upgrade, then frames with lengths up to 4 GiB."""
    request = b"GET /derp HTTP/1.1\r\nHost: mesh.test\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n"
    frames = b"".join(
        struct.pack(">BI", rng.choice([1, 2, 2, 2, 4, 6, 7, 0x10, 0x12, 0x77]),
                    rng.choice([0, 1, 56, 200, 65535, 1 << 20, 0xFFFFFFFF])) + noise()
        for _ in range(4))
    return request, frames


def datagram():
    """Nearly right STUN, disco and WireGuard messages."""
    form = rng.randrange(4)
    if form == 0:
        body = noise(100)
        return damaged(struct.pack(">HHI", 1, len(body), 0x2112A442) + rng.randbytes(12) + body)
    if form == 1:
        return damaged(b"TS\xf0\x9f\x92\xac" + rng.randbytes(32 + 24) + noise(200))
    if form == 2:
        kind_byte = rng.choice([1, 2, 3, 4])
        size = {1: 148, 2: 92, 3: 64, 4: 32 + rng.randrange(1400)}[kind_byte]
        return damaged(bytes([kind_byte, 0, 0, 0]) + rng.randbytes(size - 4))
    return noise(1500)


def local():
    path = rng.choice(["status", "prefs", "ping?ip=x", "whois?addr=", "start", "login", "debug", "%ff"])
    body = rng.choice([b"{", b"[" * 5000, b'{"a":' * 2000, b"null", noise()])
    return damaged(f"{rng.choice(['GET', 'PATCH', 'POST'])} /localapi/v0/{path} HTTP/1.1\r\nHost: local-tailscaled.sock\r\n"
                   f"Content-Length: {rng.choice([len(body), 0, 10 ** 12])}\r\n\r\n".encode() + body)


def converse(sock, message):
    parts = message if isinstance(message, tuple) else (message,)
    for part in parts:
        sock.sendall(part)
        try:
            sock.recv(65536)
        except TimeoutError:
            pass


def half_open(count):
    request = b"POST /ts2021 HTTP/1.1\r\nHost: mesh.test\r\nUpgrade: tailscale-control-protocol\r\n"
    kept = []
    for _ in range(count):
        try:
            sock = connect()
            sock.sendall(request)
            kept.append(sock)
        except OSError as error:
            print(f"after {len(kept)}: {error}")
            break
    print(f"opened {len(kept)} connections", flush=True)
    time.sleep(seconds)


def main():
    if kind == "half-open":
        return half_open(int(sys.argv[5]))
    make = {"http": http, "control": control, "relay": relay, "udp": datagram, "local": local}[kind]
    until = time.monotonic() + seconds
    sent = 0
    socket_udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while time.monotonic() < until:
        message = make()
        try:
            if kind == "udp":
                socket_udp.sendto(message, address())
                if sent % 50 == 0:
                    time.sleep(0.005)
            else:
                with connect() as sock:
                    converse(sock, message)
        except OSError:
            # The other side may close whenever it likes.
            pass
        sent += 1
    print(f"{kind}: {sent} messages")


main()
