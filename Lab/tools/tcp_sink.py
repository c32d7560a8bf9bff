#!/usr/bin/env python3
"""tcp_sink.py PORT: takes one connection, reads it to its end, and answers with the number of bytes."""
import socket
import sys

server = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
connection, _ = server.accept()
count = 0
while data := connection.recv(1 << 16):
    count += len(data)
connection.sendall(str(count).encode())
connection.close()
