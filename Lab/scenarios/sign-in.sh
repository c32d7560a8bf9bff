#!/bin/bash
# Machines join by a person's sign-in: password, one-time code, "yes, it is mine". The server is killed
# in between and forgets neither account nor session. A suspended user is out at once.
#
#    alice --- internet --- bob
#                 |
#         mesh (server, relay)   web (a browser)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
need python3

host alice
host bob
host web
prepare_server
printf '\n[accounts]\nsecond_factor = "required"\n' >>/run/lab/mesh/config.toml
PASSWORD='correct horse battery'
administer users create anna --role owner --password-stdin <<<"$PASSWORD" >/dev/null
start server

# browse PATH: a page. send PATH FIELD=VALUE…: a form with the token of the page before, and the page it
# leads to.
PAGE=/run/lab/web/page.html
browse() {
    on web curl -sSL -o "$PAGE" -b /run/lab/web/jar -c /run/lab/web/jar "$SERVER_URL$1"
    LAST_OUTPUT=$(<"$PAGE")
}
send() {
    local path=$1 fields=() field next
    shift
    for field in "$@" "form=$(grep -o 'name="form" value="[0-9a-f]*"' "$PAGE" | head -n 1 | cut -d '"' -f 4)"; do
        fields+=(--data-urlencode "$field")
    done
    next=$(on web curl -sS -o "$PAGE" -b /run/lab/web/jar -c /run/lab/web/jar -w '%{redirect_url}' \
        "${fields[@]}" "$SERVER_URL$path")
    LAST_OUTPUT=$(<"$PAGE")
    [[ -z $next ]] || browse "${next#"$SERVER_URL"}"
}
attempt_path() { grep -o '/sign-in/[0-9a-f]*' "$PAGE" | head -n 1; }

# code SECRET: the one-time code of this moment.
code() {
    python3 - "$1" <<'PYTHON'
import base64, hashlib, hmac, struct, sys, time
secret = sys.argv[1].replace(" ", "")
key = base64.b32decode(secret + "=" * (-len(secret) % 8))
mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
offset = mac[19] & 15
print("%06d" % ((struct.unpack(">I", mac[offset:offset + 4])[0] & 0x7FFFFFFF) % 1000000))
PYTHON
}

step "alice joins, and anna gets her second factor"
start node alice
asks alice
browse "$LINK"
says 'alice'
send /sign-in "name=anna" "password=wrong" "device=${LINK#/register/}"
says 'do not go together'
send /sign-in "name=anna" "password=$PASSWORD" "device=${LINK#/register/}"
says 'class="qr"'
SECRET=$(grep -o 'id="secret">[A-Z2-7 ]*' "$PAGE" | cut -d '>' -f 2)
send "$(attempt_path)" "code=$(code "$SECRET")"
says 'shown again'
send "$(attempt_path)" "read=yes"
says 'Is this machine yours'
send "$LINK" "answer=yes"
says 'alice is in'
await 5 running alice

step "the server is killed; the session is still there when bob asks"
crash mesh
start server
start node bob
asks bob
browse "$LINK"
says 'Is this machine yours'
send "$LINK" "answer=yes"
await 5 running bob
reach alice bob

step "the audit log tells of it, and of no secret"
administer audit list --output json >/run/lab/mesh/audit.json
for action in user.create password.change sign-in second-factor.set-up node.join; do
    jq -e --arg action "$action" 'any(.action == $action)' /run/lab/mesh/audit.json >/dev/null ||
        fail "no $action in the audit log"
done
! grep -qE "correct horse|$(tr -d ' ' <<<"$SECRET")" /run/lab/mesh/audit.json || fail "a secret in the audit log"
! grep -aqE "correct horse|argon2|$(tr -d ' ' <<<"$SECRET")" /run/lab/mesh/state/skein-server.sqlite* ||
    fail "a secret in the database"

step "a suspended user is out at once"
administer users create ben --role owner >/dev/null
administer users suspend anna >/dev/null
unreachable() { ! on alice ping -c 1 -W 1 "$1" >/dev/null; }
await 5 unreachable "$(address4 bob)"
browse /account
says 'Sign in'
