#!/bin/bash
# Passkeys in headless Chromium with its virtual authenticators, over TLS, where browsers have them: a machine is
# let in by a passkey alone, and commands show and remove what there is. LAB_SHOTS=DIR keeps the screenshots.
#
#    alice --- internet --- web (the browser)
#                 |
#         mesh (server, relay; TLS)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 120
need chromium
need chromedriver
python3 -c 'import selenium' 2>/dev/null || skip "python3 has no selenium"

host alice
host web
tls
administer users create anna --role owner --password-stdin <<<'correct horse battery' >/dev/null
start server
start node alice
asks alice --timeout 110s
SHOTS=${LAB_SHOTS:-/run/lab/web/shots}
mkdir -p "$SHOTS"

step "a person adds, uses and removes passkeys"
on web env HOME=/run/lab/web python3 "$LAB/tools/passkeys.py" "$SERVER_URL" "$LINK" anna 'correct horse battery' "$SHOTS"
await 5 running alice

step "the commands show and remove the passkey that is left"
administer users passkeys anna | grep -q Phone
ID=$(administer users passkeys anna | awk '/Phone/ { print $1 }')
administer users remove-passkey anna "$ID" >/dev/null
refused administer users remove-passkey anna "$ID"
[[ -z $(administer users passkeys anna | grep Phone) ]]
administer audit list --output json >/run/lab/mesh/audit.json
grep -q '"passkey.add"' /run/lab/mesh/audit.json
grep -q '"passkey.remove"' /run/lab/mesh/audit.json
