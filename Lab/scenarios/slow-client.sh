#!/bin/bash
# A node stops reading (its process is frozen) while a lot changes: the others learn of every change as
# fast as before, the server keeps no endless queue for it, and when it wakes it catches up.
#
#    alice --- internet --- bob
#    frozen ------/  \----- mesh (server)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90

host alice
host bob
host frozen
start server
join alice bob frozen
await 5 sees alice frozen
before=$(memory_kb mesh)

kill -STOP "${PID[frozen]}"
named() { [[ -n $(peer alice "$1" HostName) ]]; }
for round in {1..40}; do
    skein bob set --hostname "bob-$round"
    await 5 named "bob-$round"
done
step "40 changes seen; server $before → $(memory_kb mesh) kB"
(($(memory_kb mesh) < before + 30000)) || fail "the server grew to $(memory_kb mesh) kB"

kill -CONT "${PID[frozen]}"
caught_up() { [[ -n $(peer frozen bob-40 HostName) ]]; }
await 30 caught_up
await 30 sees alice frozen
