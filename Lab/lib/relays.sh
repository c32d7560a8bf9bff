# shellcheck shell=bash
# Relays on machines of their own, in TLS with self-signed certificates that all of the lab trusts. They are
# called NAME.test and listen on port 443; the server must have TLS too (`tls`).

# Everything that programs trust: one file, to which each certificate is added.
trust_all() {
    TRUST_FLAGS=(--trust-file /run/lab/trust.pem)
    cat /run/lab/*/cert.pem >/run/lab/trust.pem
}

# relay NAME REGION [LINE…]: makes the host of a relay and names it to the server; LINEs go into its [relay].
# All relays of one region are meshed. Comes before `start server`.
relay() {
    local name=$1 region=$2
    shift 2
    host "$name"
    publish "$name.test" "$name"
    certificate "$name" "$name.test"
    trust_all
    [[ -e /run/lab/mesh.key ]] || (umask 077 && openssl rand -hex 32 >/run/lab/mesh.key)
    printf '\n[[relay.regions]]\nid = %d\ncode = "region%d"\nrelays = [{ url = "https://%s.test", ipv4 = "%s" }]\n' \
        "$region" "$region" "$name" "${ADDRESS[$name]}" >>/run/lab/mesh/config.toml
    echo "https://$name.test" >>"/run/lab/region-$region"
    {
        printf 'listen = "0.0.0.0:443"\nstate_dir = "/run/lab/%s/state"\n' "$name"
        printf '[tls]\ncertificate = "/run/lab/%s/cert.pem"\nkey = "/run/lab/%s/key.pem"\n' "$name" "$name"
        printf '[relay]\nregion_id = %d\ntrust_file = "/run/lab/trust.pem"\n' "$region"
        printf '%s\n' "$@"
    } >"/run/lab/$name/config.toml"
}

# start_relay NAME: with the relays of its region as they were named so far.
start_relay() {
    local name=$1 region
    region=$(sed -n 's/^region_id = //p' "/run/lab/$name/config.toml")
    grep -q mesh_key_file "/run/lab/$name/config.toml" || {
        printf 'mesh_key_file = "/run/lab/mesh.key"\nmesh_with = ['
        sed 's/.*/"&",/' "/run/lab/region-$region" | tr -d '\n'
        printf ']\n'
    } >>"/run/lab/$name/config.toml"
    launch "$name" "$name" "$SKEIN_BIN/skein-server" relay --config "/run/lab/$name/config.toml"
    await 10 relay_answers "$name"
    alive "$name" || fail "the relay $name ended instead of serving"
}

relay_answers() {
    alive "$1" || return 0
    on "$1" curl -fsSk -m 1 https://127.0.0.1/derp/probe >/dev/null
}

# no_embedded_relay: the server runs no relay itself.
no_embedded_relay() {
    sed -i 's/^\[relay\]/[relay]\nenabled = false/' /run/lab/mesh/config.toml
}

# home_of HOST: the code of the region that is its home.
home_of() {
    skein "$1" status --json | jq -r .Self.Relay
}

at_home() {
    local home
    home=$(home_of "$1")
    echo "home of $1: $home"
    [[ $home == "$2" ]]
}
