#!/usr/bin/env python3
"""first_packet.py INTERFACE ADDRESS SECONDS: waits for the first WireGuard data packet (type 4) that arrives over
UDP from the address, and prints the time it came, in seconds since 1970 as the kernel stamped it."""
import socket
import struct
import sys

interface, address, seconds = sys.argv[1], socket.inet_aton(sys.argv[2]), float(sys.argv[3])
ETH_P_IP, SO_TIMESTAMPNS = 0x0800, 35
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
sock.bind((interface, ETH_P_IP))
sock.settimeout(seconds)
print("ready", flush=True)
try:
    while True:
        packet, control, _, _ = sock.recvmsg(2048, 64)
        payload = (packet[0] & 15) * 4 + 8
        if packet[9] == 17 and packet[12:16] == address and packet[payload:payload + 4] == b"\x04\0\0\0":
            whole, nanoseconds = struct.unpack("qq", control[0][2])
            print(f"{whole}.{nanoseconds:09}")
            break
except TimeoutError:
    sys.exit("no direct packet came")
