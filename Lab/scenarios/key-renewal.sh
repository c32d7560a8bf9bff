#!/bin/bash
# A node gets a new key while it is in use. As long as nobody has said yes to the login, and where the
# server refuses it, all goes on with the old key; then the new one takes its place within a second, and no other
# node can use the old one.
#
#    alice --- internet --- bob      mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

host alice
host bob
prepare_server
# Less than a week: alice is told.
printf '\n[node]\nkey_expiry_of = { "lab" = "6d" }\n' >>/run/lab/mesh/config.toml
start server
join alice bob
expect direct alice bob 10
await 5 ping4 bob alice
skein alice status >/run/lab/status
grep -q "expires at .*skein up --force-reauth" /run/lab/status || fail "status does not tell that the key expires: $(</run/lab/status)"

key() { skein "$1" status --json | jq -r .Self.PublicKey; }
key_known_to() { skein "$1" status --json | jq -r --arg name "$2" '.Peer[] | select(.HostName == $name) | .PublicKey'; }
knows_key() { [[ $(key_known_to "$1" "$2") == "$3" ]]; }
before=$(key alice)

approve() { administer nodes approve "$1" --user lab >/dev/null; }

step "nobody says yes for a while"
flow bob alice 0.01
asks alice --force-reauth
on alice timeout 3 tail -f /dev/null || true
[[ $(key alice) == "$before" ]] || fail "the key changed before anybody said yes"
running alice || fail "alice does not run while it asks"
flow_ends 0
((FLOW_LOST == 0)) || fail "$FLOW_LOST packets were lost while a login waited"

step "a key that is none is refused"
kill "$ASKING"
wait "$ASKING" || true
! skein alice up --force-reauth --auth-key skein-auth-000000000000-00 --timeout 20s 2>/run/lab/alice/refusal ||
    fail "up says that all is well after a refusal"
grep -q "the server refused this login" /run/lab/alice/refusal || fail "up says: $(</run/lab/alice/refusal)"
[[ $(key alice) == "$before" ]] || fail "the key changed though the server refused"
running alice || fail "a refused renewal put alice out"
await 5 ping4 bob alice

step "somebody says yes"
asks alice --force-reauth
outage bob alice -- approve "${LINK#/register/}"
wait "$ASKING" || fail "up failed: $(</run/lab/alice/up.log)"
[[ $(key alice) != "$before" ]] || fail "the key is still the old one"
((OUTAGE <= 1000)) || fail "$OUTAGE ms without an answer"
await 5 knows_key bob alice "$(key alice)"
expect direct bob alice 10

step "the same with a pre-auth key"
before=$(key alice)
renew_by_key() { skein alice up --force-reauth --auth-key "$JOIN_KEY" --timeout 20s; }
outage bob alice -- renew_by_key
[[ $(key alice) != "$before" ]] || fail "the key is still the old one"
((OUTAGE <= 1000)) || fail "$OUTAGE ms without an answer"

step "alice is killed while it waits, and let in meanwhile"
before=$(key alice)
asks alice --force-reauth
crash alice
wait "$ASKING" || true
approve "${LINK#/register/}"
start node alice
await 10 running alice
[[ $(key alice) != "$before" ]] || fail "the key is still the old one"
await 5 ping4 bob alice
