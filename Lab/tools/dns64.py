#!/usr/bin/env python3
"""dns64.py ADDRESS PREFIX HOSTS: a name server on port 53 of an IPv6 address that knows the names of a hosts file
and gives them IPv6 addresses below the /96 prefix where they have only IPv4 ones (RFC 6147); ipv4only.arpa among
them (RFC 7050)."""
import ipaddress
import socket
import sys

A, AAAA = 1, 28
address, prefix, hosts = sys.argv[1], ipaddress.ip_network(sys.argv[2]), sys.argv[3]
names = {"ipv4only.arpa": [ipaddress.ip_address("192.0.0.170")]}
with open(hosts, encoding="ascii") as file:
    for line in file:
        known, *aliases = line.split()
        for alias in aliases:
            names.setdefault(alias, []).append(ipaddress.ip_address(known))


def records(name, kind):
    known = names.get(name, [])
    if kind == A:
        return [a.packed for a in known if a.version == 4]
    if kind != AAAA:
        return []
    own = [a.packed for a in known if a.version == 6]
    return own or [prefix.network_address.packed[:12] + a.packed for a in known]


sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind((address, 53))
print("ready", flush=True)
while True:
    query, asker = sock.recvfrom(512)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii").lower())
        at += 1 + query[at]
    name, kind = ".".join(labels), int.from_bytes(query[at + 1:at + 3], "big")
    found = records(name, kind)
    status = 0 if name in names else 3
    reply = query[:2] + bytes([0x81, 0x80 | status, 0, 1, 0, len(found), 0, 0, 0, 0]) + query[12:at + 5]
    for data in found:
        reply += b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
    sock.sendto(reply, asker)
