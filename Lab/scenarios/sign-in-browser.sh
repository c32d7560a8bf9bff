#!/bin/bash
# The server's pages in headless Chromium, on a phone's screen, light and dark, by keyboard: a machine is let
# in, every page of an owner is opened, and one that waits is approved. LAB_SHOTS=DIR keeps the screenshots.
#
#    alice, bob --- internet --- web (the browser)
#                 |
#         mesh (server, relay)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 90
need chromium
need chromedriver
"$PYTHON" -c 'import selenium' 2>/dev/null || skip "$PYTHON has no selenium"

host alice
host bob
host web
prepare_server
printf '\n[accounts]\nsecond_factor = "required"\n\n[node]\napproval = true\n' >>/run/lab/mesh/config.toml
administer users create anna --role owner --password-stdin <<<'correct horse battery' >/dev/null
start server
start node alice
start node bob
skein bob up --login-server "$SERVER_URL" --hostname bob --auth-key "$(new_key)" 2>/run/lab/bob/up.log
grep -q "waits for an administrator's approval" /run/lab/bob/up.log
asks alice --timeout 80s
SHOTS=${LAB_SHOTS:-/run/lab/web/shots}
mkdir -p "$SHOTS"

step "a person lets alice in and looks around"
on web env HOME=/run/lab/web "$PYTHON" "$LAB/tools/pages.py" "$SERVER_URL" "$LINK" anna 'correct horse battery' "$SHOTS"
await 5 running alice
await 5 running bob
