#!/bin/bash
# Keys that must not let a machine in: invented, spent, expired, revoked. `up` says why, and the node can
# still join afterwards with a good one.
#
#    alice --- internet --- mesh (server)
#    bob   ------/
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 40

host alice
host bob
start server
start node alice
start node bob
try() { skein "$1" up --login-server "$SERVER_URL" --auth-key "$2" --hostname "$1" --timeout 5s; }

step "an invented key"
refused try alice "skauth-0123456789abcdef-0123456789abcdef0123456789abcdef"
says "key"
refused try alice "nonsense"
says "key"

step "a key that was for one machine only"
key=$(new_key)
try bob "$key" >/dev/null
refused try alice "$key"
says "used|spent"

step "a key whose time is over"
key=$(new_key --expiration 1s)
is_over() { [[ $(administer preauthkeys list --output json | jq 'map(select(.usable | not)) | length') == 2 ]]; }
await 5 is_over
refused try alice "$key"
says "expired"

step "a key that was revoked"
created=$(administer preauthkeys create --user lab --output json)
key=$(jq -r .key <<<"$created")
administer preauthkeys expire "$(jq -r .id <<<"$created")" >/dev/null
refused try alice "$key"
says "expired|revoked"
! grep -qF "$key" "$LOGS"/*.log || fail "the key is in a log"

step "a good key"
up alice
await 5 sees alice bob
reach alice bob
