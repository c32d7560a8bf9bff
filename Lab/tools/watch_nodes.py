#!/usr/bin/env python3
"""watch_nodes.py NAME SECONDS SOCKET…: watches the notifications of many nodes at once and prints, for each node that
mentions NAME, the time since 1970 at which it did; ends when all have."""
import selectors
import socket
import sys
import time

name, seconds, paths = sys.argv[1].encode(), float(sys.argv[2]), sys.argv[3:]
# Initial state, and patches of single peers instead of whole maps.
MASK = 2 | 4096
selector = selectors.DefaultSelector()
for path in paths:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)
    sock.sendall(f"GET /localapi/v0/watch-ipn-bus?mask={MASK} HTTP/1.1\r\nHost: local-tailscaled.sock\r\n\r\n".encode())
    selector.register(sock, selectors.EVENT_READ, [path, b""])
print("ready", flush=True)
deadline = time.monotonic() + seconds
left = len(paths)
while left and time.monotonic() < deadline:
    for key, _ in selector.select(0.5):
        data = key.fileobj.recv(1 << 20)
        key.data[1] = key.data[1][-len(name):] + data
        if name in key.data[1]:
            print(f"{time.time():.6f}", flush=True)
            left -= 1
        if name in key.data[1] or not data:
            selector.unregister(key.fileobj)
if left:
    sys.exit(f"{left} of {len(paths)} nodes have not mentioned {sys.argv[1]}")
