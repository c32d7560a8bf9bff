#!/usr/bin/env python3
"""lying_gateway.py ADDRESS EXTERNAL: answers NAT-PMP, PCP and SSDP on a router, granting all and lying.

Each mapping is said to be at EXTERNAL; the description of its UPnP services drips out for ever.
"""
import select
import socket
import struct
import sys
import time

address, external = sys.argv[1], socket.inet_aton(sys.argv[2])
mapping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mapping.bind((address, 5351))
search = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
search.bind((address, 1900))
pages = socket.create_server((address, 5000))
dripping = []
epoch = 1_000_000

while True:
    ready, _, _ = select.select([mapping, search, pages], [], [], 0.2)
    # Backwards, as if the gateway were restarted all the time.
    epoch -= 10
    if mapping in ready:
        request, source = mapping.recvfrom(2048)
        print("asked", request[:2].hex(), flush=True)
        if request[0] == 2 and len(request) >= 24:
            answer = bytes([2, request[1] | 128, 0, 0]) + request[4:8] + struct.pack(">I", epoch) + bytes(12)
            if request[1] == 1:
                answer += request[24:44] + bytes(10) + b"\xff\xff" + external
            mapping.sendto(answer, source)
        elif request == b"\0\0":
            mapping.sendto(b"\0\x80\0\0" + struct.pack(">I", epoch) + external, source)
        elif len(request) == 12:
            mapping.sendto(
                b"\0\x81\0\0" + struct.pack(">I", epoch) + request[4:8] + struct.pack(">I", 0xFFFFFFFF), source)
    if search in ready:
        _, source = search.recvfrom(2048)
        search.sendto(
            b"HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
            b"LOCATION: http://203.0.113.99:5000/desc.xml\r\n\r\n", source)
    if pages in ready:
        connection, _ = pages.accept()
        print("page", flush=True)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n<root>")
        dripping.append(connection)
    for connection in list(dripping):
        try:
            connection.sendall(b" ")
        except OSError:
            dripping.remove(connection)
    time.sleep(0.01)
