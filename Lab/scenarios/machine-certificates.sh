#!/bin/bash
# Machine certificates. Required: a device with one joins by a pre-auth key, one without is refused with a clear
# line, a revoked one can't bring in another node key. Sufficient: a device joins without any key.
#
#    alice --- internet --- mesh (server)
#    bob   ------/
#    carol -----/
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
need openssl

certificates=/run/lab/certificates
mkdir -p "$certificates"
# device NAME KIND [OPTION] makes NAME.pem and NAME.key of a machine of the user lab.
authority() (
    cd "$certificates"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
        -subj "/CN=Lab CA" -addext keyUsage=critical,keyCertSign,cRLSign
    mkdir -p newcerts; : >index; echo 1000 >serial; echo 01 >crlnumber
    printf '%s\n' '[ca]' 'default_ca=d' '[d]' "dir=$certificates" 'database=$dir/index' 'serial=$dir/serial' \
        'crlnumber=$dir/crlnumber' 'new_certs_dir=$dir/newcerts' 'certificate=$dir/ca.pem' \
        'private_key=$dir/ca.key' 'default_md=sha256' 'default_days=1' 'default_crl_days=1' 'policy=p' \
        'unique_subject=no' 'x509_extensions=e' '[p]' 'commonName=supplied' 'organizationalUnitName=optional' \
        '[e]' 'basicConstraints=critical,CA:false' 'keyUsage=critical,digitalSignature' \
        'extendedKeyUsage=clientAuth' >ca.conf
    openssl ca -config ca.conf -gencrl -out ca.crl
) >"$LOGS/authority.log" 2>&1
device() (
    cd "$certificates"
    openssl req -new -newkey "$2" ${3:+-pkeyopt "$3"} -nodes -keyout "$1.key" -out "$1.csr" -subj "/OU=lab/CN=$1"
    openssl ca -config ca.conf -batch -notext -in "$1.csr" -out "$1.pem"
    chmod 600 "$1.key"
) >>"$LOGS/authority.log" 2>&1
revoke() (
    cd "$certificates"
    openssl ca -config ca.conf -revoke "$1.pem"
    openssl ca -config ca.conf -gencrl -out next.crl
    mv next.crl ca.crl
) >>"$LOGS/authority.log" 2>&1
certificate_options() { echo --machine-cert "$certificates/$1.pem" --machine-key "$certificates/$1.key"; }

authority
device alice ec ec_paramgen_curve:P-256
device bob rsa:2048
device carol ec ec_paramgen_curve:P-256

host alice
host bob
host carol
prepare_server
cat >>/run/lab/mesh/config.toml <<CONFIG
[machine_certificates]
mode = "required"
authorities = ["$certificates/ca.pem"]
revocation_lists = ["$certificates/ca.crl"]
owner_from = "OU"
CONFIG
start server
start node alice
start node bob
start node carol
try() { local who=$1; shift; skein "$who" up --login-server "$SERVER_URL" --hostname "$who" --timeout 5s "$@"; }

step "required: a key alone is not enough"
key=$(new_key --reusable)
refused try alice --auth-key "$key"
says "certificate"

step "a key file that others may read, and one of another certificate"
chmod 644 "$certificates/alice.key"
refused try alice --auth-key "$key" $(certificate_options alice)
says "chmod 600"
chmod 600 "$certificates/alice.key"
refused try alice --auth-key "$key" --machine-cert "$certificates/alice.pem" --machine-key "$certificates/bob.key"
says "does not belong"

step "certificate and key: P-256 and RSA"
try alice --auth-key "$key" $(certificate_options alice)
try bob --auth-key "$key" $(certificate_options bob)
await 5 sees alice bob
reach alice bob
[[ $(administer nodes list --output json | jq -r '.[].machineCertificate.subject' | sort | paste -sd' ') == \
    "OU=lab,CN=alice OU=lab,CN=bob" ]] || fail "the list does not show the certificates"
grep -rqF "PRIVATE KEY" "$LOGS" && fail "a key is in a log"

step "a revoked device keeps its node key, and gets no other"
revoke bob
administer nodes expire bob >/dev/null
refused try bob --auth-key "$key"
says "revoked"

step "sufficient: no key is needed, and none is good for a revoked device"
stop mesh
sed -i 's/"required"/"sufficient"/' /run/lab/mesh/config.toml
start server
try carol $(certificate_options carol)
await 5 sees alice carol
reach alice carol
refused try bob --auth-key "$key"
says "revoked"
