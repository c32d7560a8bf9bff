#!/bin/bash
# Machines join by a SAML provider (pysaml2): link, provider's login form, "yes, it is mine". Requests by redirect
# and by form, assertions signed, encrypted or both; a changed response, one of another key and one that was used
# before let nobody in.
#
#    alice --- internet --- bob
#               |     |
#             mesh   idp     web (a browser)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 120
need "$PYTHON" xmlsec1 openssl
"$PYTHON" -c 'import saml2' 2>/dev/null || skip "python3-pysaml2 is not installed"

host alice
host bob
host idp
host web
publish idp.test idp
IDP_URL=http://idp.test:8090
idp=("$PYTHON" "$LAB/tools/saml_idp.py")
prepare_server
"${idp[@]}" make /run/lab/idp "$IDP_URL"
provider() {
    cat <<CONFIG

[[providers]]
name = "$1"
type = "saml"
label = "The lab ($1)"
metadata_file = "/run/lab/idp/metadata.xml"
entity_id = "$IDP_URL/metadata"
request_binding = "$1"
service_entity_id = "$SERVER_URL/saml/$1"
user_attribute = "urn:oid:0.9.2342.19200300.100.1.1"
display_name_attribute = "urn:oid:2.16.840.1.113730.3.1.241"
groups_attribute = "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"
create_users = true
CONFIG
}
{ provider redirect && provider post; } >>/run/lab/mesh/config.toml
start server
for name in redirect post; do
    on web curl -sS "$SERVER_URL/saml/$name" >"/run/lab/idp/$name.xml"
done
echo "response assertion" >/run/lab/idp/mode
launch idp idp "${idp[@]}" serve /run/lab/idp "$IDP_URL" /run/lab/idp/redirect.xml /run/lab/idp/post.xml
await 20 on web curl -sS -o /dev/null "$IDP_URL/"

# browse URL [FIELD=VALUE…]: a page of either site, by GET or as a form, and where it leads by redirects.
PAGE=/run/lab/web/page.html
browse() {
    local url=$1 fields=() field
    shift
    for field in "$@"; do fields+=(--data-urlencode "$field"); done
    on web curl -sSL -o "$PAGE" -b /run/lab/web/jar -c /run/lab/web/jar "${fields[@]}" "$url"
    LAST_OUTPUT=$(<"$PAGE")
}
# value NAME: a hidden field of the page. action: where its form goes.
value() { grep -o "name=\"$1\" value=\"[^\"]*\"" "$PAGE" | head -n 1 | cut -d '"' -f 4; }
action() { grep -o 'action="[^"]*"' "$PAGE" | head -n 1 | cut -d '"' -f 2; }

# answer PROVIDER MODE…: goes to the provider, signs in there, and gets the page that posts the response.
answer() {
    local name=$1
    shift
    echo "$*" >/run/lab/idp/mode
    browse "$SERVER_URL/login/with/$name?device=${LINK#/register/}"
    if [[ $name == post ]]; then
        browse "$(action)" "SAMLRequest=$(value SAMLRequest)"
    fi
    browse "$IDP_URL/login" "request=$(value request)" "sender=$(value sender)" "name=anna" \
        "password=correct horse battery"
    RESPONSE=$(value SAMLResponse)
    [[ -n $RESPONSE ]] || fail "the provider gives no response: $LAST_OUTPUT"
    [[ $(action) == "$SERVER_URL/callback/$name" ]] || fail "the response goes to $(action)"
}
# arrive PROVIDER: posts the response, as a page of another site does: without the server's cookies.
arrive() {
    local next
    next=$(on web curl -sS -o /dev/null -w '%{redirect_url}' --data-urlencode "SAMLResponse=$RESPONSE" \
        "$SERVER_URL/callback/$1")
    browse "$next"
}
signed_out() { rm -f /run/lab/web/jar; }

step "alice joins: request by redirect, response and assertion signed"
start node alice
asks alice --timeout 100s
answer redirect response assertion
arrive redirect
says 'Is this machine yours'
browse "$SERVER_URL$LINK" "form=$(value form)" "answer=yes"
says 'alice is in'
await 5 running alice
administer users list --output json >/run/lab/mesh/users.json
jq -e '.[] | select(.name == "anna") | .groups == ["ops", "staff"] or .groups == ["staff", "ops"]' \
    /run/lab/mesh/users.json >/dev/null || fail "not anna with her groups: $(</run/lab/mesh/users.json)"

step "a response that was used before lets nobody in"
arrive redirect
says 'Sign-ins begin here'

step "bob joins: request by form, each way to sign and encrypt"
start node bob
asks bob --timeout 100s
# shellcheck disable=SC2086
for mode in "assertion" "response" "response assertion gcm" "assertion gcm" "response cbc"; do
    signed_out
    answer post $mode
    arrive post
    says 'Is this machine yours'
done

step "changed, forged and badly encrypted responses let nobody in"
signed_out
answer redirect assertion
GOOD=$RESPONSE
RESPONSE=$(base64 -d <<<"$GOOD" | sed 's/>anna</>root</' | base64 -w 0)
arrive redirect
says 'was not accepted'
RESPONSE=$(base64 -d <<<"$GOOD" | sed 's/<?xml[^>]*>//; 1s/^/<!DOCTYPE r [<!ENTITY x "root">]>/' | base64 -w 0)
arrive redirect
says 'Sign-ins begin here'
answer redirect response assertion stranger
arrive redirect
says 'was not accepted'
answer redirect
arrive redirect
says 'was not accepted'
answer redirect assertion cbc
arrive redirect
says 'was not accepted'
RESPONSE=$GOOD
arrive redirect
says 'Is this machine yours'
browse "$SERVER_URL$LINK" "form=$(value form)" "answer=yes"
says 'bob is in'
await 5 running bob
reach alice bob

step "the audit log says why, and the key is the server's own"
administer audit list --output json >/run/lab/mesh/audit.json
for reason in 'does not fit any of the keys' 'neither the response nor its assertion is signed' 'AES-CBC'; do
    jq -e --arg reason "$reason" 'any(.detail | contains($reason))' /run/lab/mesh/audit.json >/dev/null ||
        fail "nothing of '$reason' in the audit log"
done
[[ $(stat -c %a /run/lab/mesh/state/saml.pem) == 600 ]] || fail "others can read the server's key"
