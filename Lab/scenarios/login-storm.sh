#!/bin/bash
# Two hundred people sign in at once. Hashing their passwords takes neither the server's memory nor its time for maps: what
# a node is told in the meantime reaches it as fast as before, give or take little.
#
#    alice --- internet --- bob
#                 |
#         mesh (server, relay; the people, through a proxy)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 200
need python3

host alice
host bob
prepare_server
sed -i '1i trusted_proxies = ["127.0.0.0/8"]' /run/lab/mesh/config.toml
USERS=$(printf 'user-%d,' {1..20})
start server
for user in ${USERS//,/ }; do
    administer users create "$user" --password-stdin <<<'correct horse battery' >/dev/null
done
join alice bob

step "two hundred sign-ins at once"
on mesh python3 "$LAB/tools/login_storm.py" http://127.0.0.1:8080 /run/lab/mesh/state/admin.sock /run/lab/alice/skein.sock \
    bob "${PID[mesh]}" "${USERS%,}" 'correct horse battery' 200 >/run/lab/mesh/storm.txt
while read -r line; do step "$line"; done < <(head -n -1 /run/lab/mesh/storm.txt)
step "the server took no more than it takes for four hashes, and maps waited for nobody"
tail -n 1 /run/lab/mesh/storm.txt | jq -e '.during.peak < 260 and .during.p99 < 250' >/dev/null
