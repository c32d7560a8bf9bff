#!/bin/bash
# Servers a node cannot use: a name that does not exist, a port with nothing behind it, a web server
# that is not Skein, a certificate nobody vouches for, a server that is not there yet. The message says
# which it is, and the node keeps trying.
#
#    alice --- internet --- mesh (server, later)
#                  \------- web (a web server, with and without TLS)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 100
need python3 openssl

host alice
host web
prepare_server
publish web.test web
try() { skein alice up --login-server "$1" --auth-key nonsense --hostname alice --timeout "${2:-4s}"; }

certificate web web.test
launch http web "$PYTHON" -m http.server --directory /run/lab/web 80
launch https web openssl s_server -quiet -accept 443 -www -key /run/lab/web/key.pem -cert /run/lab/web/cert.pem
await 5 on alice curl -fsS http://web.test/cert.pem
await 5 on alice curl -fsSk https://web.test/
start node alice

step "not a URL"
refused try "mesh dot test"
says "URL"
step "a name that does not exist"
refused try "http://nowhere.test"
says "nowhere.test"
step "a port with nothing behind it"
refused try "http://web.test:81"
says "nothing listens"
step "a web server that is not Skein"
refused try "http://web.test"
says "not a coordination server"
step "TLS with a certificate nobody vouches for"
refused try "https://web.test"
says "certificate of web.test"
step "a network that swallows everything"
block alice web
refused try "http://web.test" 15s
says "cannot reach|did not answer"
unblock alice web

step "a server that comes later: the node keeps trying and says so"
refused skein alice up --login-server "$SERVER_URL" --auth-key nonsense --hostname alice --timeout 2s
complaint() { { skein alice status 2>&1 || true; } | grep -iE "mesh.test"; }
await 5 complaint
start server
refused skein alice up --login-server "$SERVER_URL" --auth-key nonsense --timeout 10s
says "key"
up alice
