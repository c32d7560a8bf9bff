#!/bin/bash
# With approval of machines on, bob waits after his login: alice does not see him, he sees nobody, and both say what is so.
# Approved, he goes on by himself. A key that approves lets carol in at once.
#
#    alice --- internet --- bob, carol
#                 |
#         mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60

host alice
host bob
host carol
prepare_server

printf '\n[node]\napproval = true\n' >>/run/lab/mesh/config.toml
start server
administer users create anna >/dev/null
approving() { administer preauthkeys create --user anna --pre-approved; }
enters() { skein "$1" up --login-server "$SERVER_URL" --hostname "$1" --auth-key "$2" --timeout 30s 2>&1; }

step "alice comes with a key that approves; bob's key does not"
start node alice
enters alice "$(approving)"
await 5 running alice
start node bob
enters bob "$(administer preauthkeys create --user anna)" >/run/lab/bob/up.log
grep -q "waits for an administrator's approval" /run/lab/bob/up.log
grep -q "waits for an administrator's approval" <(skein bob status)
[[ $(skein bob status --json | jq -r .BackendState) == NeedsMachineAuth ]]
[[ -z $(skein alice status | grep bob) ]]
grep -q bob <(administer nodes list --waiting)
grep -q 'waits for approval' <(administer nodes list)

step "approved, bob goes on by himself"
administer nodes approve bob
await 5 running bob
reach alice bob
administer audit list --output json >/run/lab/mesh/audit.json
grep -q '"node.approve"' /run/lab/mesh/audit.json

step "carol never waits"
start node carol
enters carol "$(approving)"
await 5 running carol
reach carol alice
