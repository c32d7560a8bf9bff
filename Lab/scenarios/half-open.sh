#!/bin/bash
# Ten thousand connections that begin a control handshake and never go on: a machine can still join, and
# the server lets go of them.
#
#    alice ----- internet ---- mesh (server)
#    mallory -------/
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90
need python3

(($(ulimit -Hn) > 10500)) || skip "at most $(ulimit -Hn) open files are allowed here"
ulimit -n "$(ulimit -Hn)"
host alice
host mallory
start server
before=$(memory_kb mesh)
launch mallory mallory "$PYTHON" "$LAB/tools/hostile.py" 1 60 half-open "${ADDRESS[mesh]}:8080" 10000
opened() { grep -q "opened" "$LOGS/mallory.log"; }
await 30 opened
step "$(tail -1 "$LOGS/mallory.log"); server $before → $(memory_kb mesh) kB"

join alice
step "alice has joined"
alive mesh || fail "the server fell"
(($(memory_kb mesh) < before + 300000)) || fail "the server grew to $(memory_kb mesh) kB"
held() { on mesh ss -Htn state established sport = :8080 | wc -l; }
let_go() { (($(held) < 100)); }
await 60 let_go
step "the server has let go of them"
