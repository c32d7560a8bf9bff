"""A reverse proxy as people put in front: ends TLS, adds X-Forwarded-For, passes upgrades on.

proxy.py PORT CERTIFICATE KEY BACKEND_HOST BACKEND_PORT [websocket-only]

With websocket-only it refuses to upgrade to DERP, as proxies do that know of no upgrade but WebSockets.
"""

import socket
import ssl
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(raw, address, context, backend, refuses):
    try:
        client = context.wrap_socket(raw, server_side=True)
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data or len(head) > 65536:
                return
            head += data
        if refuses and b"\r\nupgrade: derp\r\n" in head.lower():
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            client.unwrap()
            return
        line, rest = head.split(b"\r\n", 1)
        server = socket.create_connection(backend, timeout=5)
        server.settimeout(None)
        server.sendall(line + b"\r\nX-Forwarded-For: " + address[0].encode() + b"\r\n" + rest)
        threading.Thread(target=pump, args=(server, client), daemon=True).start()
        pump(client, server)
    except OSError:
        raw.close()


def main():
    port, certificate, key, host, backend_port = sys.argv[1:6]
    refuses = sys.argv[6:] == ["websocket-only"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("0.0.0.0", int(port)), backlog=128)
    while True:
        raw, address = listener.accept()
        threading.Thread(
            target=serve, args=(raw, address, context, (host, int(backend_port)), refuses), daemon=True
        ).start()


main()
