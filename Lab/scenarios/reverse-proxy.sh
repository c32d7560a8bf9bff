#!/bin/bash
# Server and relay behind a reverse proxy that ends TLS: control and relayed traffic pass it, and the server
# believes it about where clients come from.
#
#    alice -- [hard] -- internet -- [hard] -- bob
#                          |
#                mesh (proxy on 443; server, relay on 8080)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40
need python3

router home hard; host alice home
router office hard; host bob office
tls
sed -i 's/^listen.*/listen = "127.0.0.1:8080"\ntrusted_proxies = ["127.0.0.1"]/; /^\[tls\]/,$d' /run/lab/mesh/config.toml
launch proxy mesh python3 "$LAB/tools/proxy.py" 443 /run/lab/mesh/cert.pem /run/lab/mesh/key.pem 127.0.0.1 8080
start server
join alice bob

reach alice bob
expect relayed alice bob

step "behind a proxy that passes WebSockets only"
crash proxy
launch proxy mesh python3 "$LAB/tools/proxy.py" 443 /run/lab/mesh/cert.pem /run/lab/mesh/key.pem 127.0.0.1 8080 websocket-only
await 15 ping4 alice bob
expect relayed alice bob
