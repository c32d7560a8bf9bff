#!/bin/bash
# A machine joins by a real provider of OpenID Connect (oidc-provider-mock from PyPI, in TLS): skein up shows a
# link, the person goes to the provider and back, says yes, and the machine is in. Only who is allowed and
# known gets in; while the provider is down, others are not held up, and doctor names what is wrong.
#
#    alice --- internet --- idp (the provider)
#                 |
#         mesh (server, relay)   web (a browser)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
export PYTHONPATH=$LAB/../.lab/python
"$PYTHON" -c 'import oidc_provider_mock' 2>/dev/null || skip "oidc-provider-mock is not installed: scripts/install-packages lab"

host alice
host web
host idp
publish idp.test idp
certificate idp idp.test
prepare_server
(umask 077 && echo hush >/run/lab/mesh/secret)
cat >>/run/lab/mesh/config.toml <<'TOML'

[[providers]]
name = "corp"
type = "oidc"
label = "Corp Ltd"
issuer = "https://idp.test:8443"
client_id = "skein"
client_secret_file = "/run/lab/mesh/secret"
trust_file = "/run/lab/idp/cert.pem"
allowed_domains = ["example.org"]
TOML
administer users create cleo >/dev/null
start server
start_provider() {
    launch provider idp "$PYTHON" "$LAB/tools/oidc_provider.py" 8443 /run/lab/idp/cert.pem /run/lab/idp/key.pem
    await 10 on idp curl -fsSk -m 1 -o /dev/null https://127.0.0.1:8443/.well-known/openid-configuration
}

# browse URL: a page, wherever it leads. leads URL [FIELD=VALUE]: where a page or form leads, in LAST_OUTPUT.
PAGE=/run/lab/web/page.html
CURL=(curl -sS --cacert /run/lab/idp/cert.pem -b /run/lab/web/jar -c /run/lab/web/jar -o "$PAGE")
browse() {
    on web "${CURL[@]}" -L "$1"
    LAST_OUTPUT=$(<"$PAGE")
}
leads() {
    local fields=()
    [[ $# -lt 2 ]] || fields=(-d "$2")
    LAST_OUTPUT=$(on web "${CURL[@]}" "${fields[@]}" -w '%{redirect_url}' "$1")
}
# sign_in: at the provider, as its person, and back.
sign_in() {
    leads "$SERVER_URL/login/with/corp?device=${LINK#/register/}"
    says '^https://idp.test:8443/'
    leads "$LAST_OUTPUT" sub=7
    says "^$SERVER_URL/callback/corp"
    browse "$LAST_OUTPUT"
}

start node alice
asks alice

step "the provider is down: the page says so, and doctor says why"
browse "$SERVER_URL$LINK"
says 'Sign in with Corp Ltd'
says 'User name'
browse "$SERVER_URL/login/with/corp"
says 'does not answer'
refused administer doctor
says 'problem: provider corp: discovery document'

step "it is up: but nobody here is the person it tells of"
start_provider
provider_is_asked() { leads "$SERVER_URL/login/with/corp" && [[ $LAST_OUTPUT == https://idp.test* ]]; }
await 10 provider_is_asked
administer doctor >/run/lab/mesh/doctor.txt || true
grep -q 'ok: provider corp: its discovery document is of the configured issuer' /run/lab/mesh/doctor.txt ||
    fail "doctor does not find the provider"
sign_in
says 'has no user for you'

step "she is linked with a user on purpose, and her machine joins"
administer users link cleo --provider corp --subject 7 >/dev/null
sign_in
says 'Is this machine yours'
says 'cleo'
on web "${CURL[@]}" --data-urlencode "answer=yes" \
    --data-urlencode "form=$(grep -o 'name="form" value="[0-9a-f]*"' "$PAGE" | head -n 1 | cut -d '"' -f 4)" \
    "$SERVER_URL$LINK"
await 5 running alice

step "the audit log tells both, and no secret"
administer audit list --output json >/run/lab/mesh/audit.json
jq -e 'any(.action == "sign-in" and .result == "refused" and (.detail | test("subject is 7")))' \
    /run/lab/mesh/audit.json >/dev/null || fail "no refused sign-in in the audit log"
jq -e 'any(.action == "sign-in" and .result == "done" and (.detail | test("corp")))' \
    /run/lab/mesh/audit.json >/dev/null || fail "no sign-in in the audit log"
! grep -qE 'hush|id_token|eyJ' /run/lab/mesh/audit.json "$LOGS/mesh.log" || fail "a secret in a log"
