#!/usr/bin/env python3
"""UDP probes that show what the lab's routers do.

udp.py reflect PORT                  answers every datagram with the address it came from
udp.py mapped PORT SERVER:P …        asks each reflector from one socket; prints one "address port" a line
udp.py punch PORT ADDRESS:P SECONDS  sends every 50 ms; exits 0 once a datagram from the other side arrives
udp.py listen PORT SECONDS           exits 0 once any datagram arrives
"""
import socket
import sys
import time


def bound(port):
    """A dual-stack socket on the port."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    return sock


def target(text):
    address, port = text.rsplit(":", 1)
    return (address if ":" in address else "::ffff:" + address, int(port))


def reflect(port):
    sock = bound(int(port))
    while True:
        _, source = sock.recvfrom(2048)
        sock.sendto(f"{source[0].removeprefix('::ffff:')} {source[1]}".encode(), source)


def mapped(port, *servers):
    sock = bound(int(port))
    seen = []
    for server in servers:
        for _ in range(10):
            sock.sendto(b"where", target(server))
            sock.settimeout(0.1)
            try:
                seen.append(sock.recv(2048).decode())
                break
            except TimeoutError:
                continue
        else:
            sys.exit(f"{server} does not answer")
    print("\n".join(seen))


def punch(port, other, seconds):
    sock = bound(int(port))
    deadline = time.monotonic() + float(seconds)
    other = target(other)
    heard = False
    while time.monotonic() < deadline:
        sock.sendto(b"punch", other)
        sock.settimeout(0.05)
        try:
            # The other side may have another port towards us than towards whoever told us of it.
            _, other = sock.recvfrom(2048)
            if heard:
                return
            # Once more, so that the other side hears too.
            heard = True
        except TimeoutError:
            continue
    sys.exit(0 if heard else "nothing came through")


def listen(port, seconds):
    sock = bound(int(port))
    sock.settimeout(float(seconds))
    sock.recv(2048)


if __name__ == "__main__":
    try:
        {"reflect": reflect, "mapped": mapped, "punch": punch, "listen": listen}[sys.argv[1]](
            *sys.argv[2:])
    except TimeoutError:
        sys.exit("nothing came")
