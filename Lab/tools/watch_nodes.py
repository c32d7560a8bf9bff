#!/usr/bin/env python3
"""watch_nodes.py NAME SECONDS SOCKET…: asks many nodes for their status over and over until all know a node called
NAME; prints "ready" before it begins, and for each node the time since 1970 at which its answer had the name."""
import selectors
import socket
import sys
import time

name, seconds, paths = f'"HostName":"{sys.argv[1]}"'.encode(), float(sys.argv[2]), sys.argv[3:]
REQUEST = b"GET /localapi/v0/status HTTP/1.1\r\nHost: local-tailscaled.sock\r\nConnection: close\r\n\r\n"
selector = selectors.DefaultSelector()


def ask(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.sendall(REQUEST)
    selector.register(sock, selectors.EVENT_READ, [path, []])


def is_whole(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return body.endswith(b"\r\n0\r\n\r\n")


print("ready", flush=True)
# A few at a time: the answers cost work that would delay what is measured.
waiting, AT_ONCE = list(paths), 4
deadline = time.monotonic() + seconds
left = len(paths)
while left and time.monotonic() < deadline:
    while waiting and len(selector.get_map()) < AT_ONCE:
        ask(waiting.pop(0))
    for key, _ in selector.select(0.5):
        data = key.fileobj.recv(1 << 20)
        path, parts = key.data
        parts.append(data)
        if data and not is_whole(b"".join(parts)):
            continue
        selector.unregister(key.fileobj)
        key.fileobj.close()
        if name in b"".join(parts).replace(b": ", b":"):
            print(f"{time.time():.6f}", flush=True)
            left -= 1
        else:
            waiting.append(path)
if left:
    sys.exit(f"{left} of {len(paths)} nodes do not know {sys.argv[1]}")
