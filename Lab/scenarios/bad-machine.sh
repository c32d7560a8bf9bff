#!/bin/bash
# What can be wrong with the machine itself: the port or the TUN name is taken, another daemon runs, no
# privilege, a damaged state file, a mistake in the configuration. Every time: one clear sentence, a
# non-zero status, and nothing destroyed.
#
#    alice --- internet --- mesh (server)
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
budget 60
need python3 setpriv

host alice
start server
mkdir -p /run/lab/alice/state
daemon() { # NAME FLAG…: a daemon that is expected to give up
    launch "$1" alice "$SKEIN_BIN/skein" daemon --state-dir /run/lab/alice/state --socket /run/lab/alice/skein.sock "${@:2}"
}

step "the TUN name is taken"
on alice ip link add skein0 type bridge
daemon tun-taken --tun skein0
complains tun-taken 10 "skein0"
on alice ip link delete skein0

step "the UDP port is taken"
launch squatter alice "$PYTHON" "$LAB/tools/udp.py" reflect "$SKEIN_PORT"
taken() { on alice ss -uln | grep -q ":$SKEIN_PORT "; }
await 5 taken
daemon port-taken --tun skein0 --port "$SKEIN_PORT"
complains port-taken 10 "$SKEIN_PORT"
stop squatter

step "no privilege"
launch powerless alice setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all \
    "$SKEIN_BIN/skein" daemon --state-dir /run/lab/alice/state --socket /run/lab/alice/skein.sock --tun skein0
complains powerless 10 "root|privilege|permi|CAP_NET_ADMIN"

step "a second daemon"
join alice
before=$(skein alice status --json | jq -r .Self.PublicKey)
daemon second --tun skein1 --port 41642
complains second 10 "another skein daemon"
running alice

step "the command line without a daemon"
refused on alice "$SKEIN_BIN/skein" --socket /run/lab/alice/none.sock status
says "daemon"

step "a damaged state file: refused, and kept"
stop alice
state=/run/lab/alice/state/skein.state
cp -a "$state" /run/lab/alice/good-state
printf '{"half": ' >"$state"
daemon damaged --tun skein0
complains damaged 10 "$(basename "$state")|state"
[[ $(cat "$state" "$state"*.* 2>/dev/null) == *'{"half": '* ]] || fail "the damaged file is gone"
cp -a /run/lab/alice/good-state "$state"
start node alice
await 10 running alice
[[ $(skein alice status --json | jq -r .Self.PublicKey) == "$before" ]] || fail "alice has another key"

step "a damaged copy of the network map: the server has a better one"
stop alice
printf '{"half": ' >/run/lab/alice/state/netmap.json
start node alice
await 10 running alice

step "the server's configuration has a key that does not exist"
cp /run/lab/mesh/config.toml /run/lab/mesh/wrong.toml
sed -i '2i listn = "0.0.0.0:1"' /run/lab/mesh/wrong.toml
refused on mesh "$SKEIN_BIN/skein-server" --config /run/lab/mesh/wrong.toml config check
says "listn"
says "line 2|:2[: ]"
refused on mesh "$SKEIN_BIN/skein-server" serve --config /run/lab/mesh/none.toml
says "none.toml"

step "the server's port is taken"
launch second-server mesh "$SKEIN_BIN/skein-server" serve --config /run/lab/mesh/config.toml
complains second-server 10 "8080|in use|already|running"

step "the server's database is damaged: refused, and kept"
stop mesh
database=$(find /run/lab/mesh/state -name '*.sqlite' -o -name '*.db' | sed -n 1p)
cp -a "$database" /run/lab/mesh/good-database
printf 'not a database at all, and long enough to be read as one%.0s' {1..100} >"$database"
launch damaged-server mesh "$SKEIN_BIN/skein-server" serve --config /run/lab/mesh/config.toml
complains damaged-server 10 "$(basename "$database")|database"
[[ $(head -c 20 "$database") == "not a database at al" ]] || fail "the damaged file is gone"
rm -f "$database"-*
cp -a /run/lab/mesh/good-database "$database"
start server
