# shellcheck shell=bash
# The programs under test. Each runs on a host of the same name and logs to $LOGS/NAME.log.

SERVER_URL=http://mesh.test:8080
# What `skein daemon` is told to trust; set by `tls`.
TRUST_FLAGS=()
# A node's name in the mesh is that of its host unless NAME_OF says otherwise.
declare -A PID=() NODE_FLAGS=() NAME_OF=() SPEED_OF=()
JOIN_KEY=

# The directory with `skein` and `skein-server`: $SKEIN_BIN, or the newer build of this repository.
find_programs() {
    need curl
    [[ -z ${SKEIN_BIN-} ]] || return 0
    local build
    for build in "$REPOSITORY"/.build/{release,debug}; do
        [[ -x $build/skein && -x $build/skein-server ]] || continue
        [[ -n ${SKEIN_BIN-} && $SKEIN_BIN/skein -nt $build/skein ]] || SKEIN_BIN=$build
    done
    [[ -n ${SKEIN_BIN-} ]] ||
        skip "skein and skein-server are not built (swift build, or set SKEIN_BIN)"
}

# launch NAME HOST COMMAND…: runs a program in the background.
launch() {
    local name=$1 host=$2
    shift 2
    printf '# %s\n' "$*" >>"$LOGS/$name.log"
    local environment=() preloaded=()
    if [[ -e /run/lab/$name.clock ]]; then
        preloaded+=(/run/lab/clock.so)
        environment+=("CLOCK_FILE=/run/lab/$name.clock" "CLOCK_SPEED=${SPEED_OF[$name]:-1}")
    fi
    if [[ -e /run/lab/$name.allocations ]]; then
        preloaded+=(/run/lab/allocations.so)
        environment+=("ALLOCATIONS_FILE=/run/lab/$name.allocations")
    fi
    ((${#preloaded[@]} == 0)) || environment=(env "LD_PRELOAD=${preloaded[*]}" "${environment[@]}")
    ip netns exec "$host" "$LAB/lib/enter" "$host" "${environment[@]}" "$@" >>"$LOGS/$name.log" 2>&1 </dev/null &
    PID[$name]=$!
}

# clock NAME YEARS: the program sees the time of day that many years later (-3: earlier), from its next
# start, or at once when it was started with such a clock.
clock() {
    library clock
    echo "$(($2 * 31557600))" >"/run/lab/$1.clock"
}

# speed NAME TIMES: all clocks of the program go so many times as fast, from its next start.
speed() {
    library clock
    echo 0 >"/run/lab/$1.clock"
    SPEED_OF[$1]=$2
}

# count_allocations NAME: from its next start; allocations NAME says how many blocks it has asked for.
count_allocations() {
    library allocations
    : >"/run/lab/$1.allocations"
}

allocations() { od -A n -t d8 -N 8 "/run/lab/$1.allocations" | tr -d ' '; }

# library NAME, tool NAME: builds a program of Lab/tools to be preloaded, or to be run, in /run/lab.
library() {
    need clang
    [[ -e /run/lab/$1.so ]] || clang -shared -fPIC -O -o "/run/lab/$1.so" "$LAB/tools/$1.c"
}
tool() {
    need clang
    [[ -e /run/lab/$1 ]] || clang -O2 -o "/run/lab/$1" "$LAB/tools/$1.c"
}

alive() {
    [[ -n ${PID[$1]-} ]] && kill -0 "${PID[$1]}" 2>/dev/null
}

gone() {
    ! alive "$1"
}

# stop NAME: asks the program to end and expects that it does.
stop() {
    kill -TERM "${PID[$1]}"
    await 10 gone "$1"
    forget "$1"
}

# crash NAME: kill -9. The shell's own remark about a killed child is not wanted.
crash() {
    kill -KILL "${PID[$1]}"
    {
        await 2 gone "$1"
        forget "$1"
    } 2>/dev/null
}

# Collects the exit status of a program that ended; EXIT_STATUS keeps it.
forget() {
    EXIT_STATUS=0
    wait "${PID[$1]}" 2>/dev/null || EXIT_STATUS=$?
    unset "PID[$1]"
}

# Those that a signal ended without our doing.
fallen_programs() {
    local name status
    for name in "${!PID[@]}"; do
        alive "$name" && continue
        status=0
        wait "${PID[$name]}" 2>/dev/null || status=$?
        ((status < 128)) || echo "$name fell (status $status)"
    done
}

end_programs() {
    local name
    for name in "${!PID[@]}"; do
        kill -TERM "${PID[$name]}" 2>/dev/null
    done
}

# start server [HOST]                 starts skein-server (on a public host "mesh" made for it)
# start node HOST [DAEMON FLAG…]      starts `skein daemon` on the host
start() {
    find_programs
    local what=$1
    shift
    case $what in
    server) start_server "$@" ;;
    node) start_node "$@" ;;
    *) fail "start what?" ;;
    esac
}

# Makes the server's host, its name and its configuration, once.
prepare_server() {
    [[ ! -e /run/netns/mesh ]] || return 0
    find_programs
    host mesh
    publish mesh.test mesh
    local any=0.0.0.0
    [[ $IPV6 == no ]] || any='[::]'
    cat >/run/lab/mesh/config.toml <<CONFIG
server_url = "$SERVER_URL"
listen = "$any:8080"
state_dir = "/run/lab/mesh/state"

[relay]
stun_listen = "$any:3478"
CONFIG
}

# tls: from here on the server has a certificate that nodes are told to trust, and plain HTTP nowhere.
tls() {
    need openssl
    SERVER_URL=https://mesh.test
    prepare_server
    certificate mesh mesh.test
    sed -i 's/:8080"/:443"/; s/^server_url.*/server_url = "https:\/\/mesh.test"/' /run/lab/mesh/config.toml
    printf '\n[tls]\ncertificate = "/run/lab/mesh/cert.pem"\nkey = "/run/lab/mesh/key.pem"\n' >>/run/lab/mesh/config.toml
    TRUST_FLAGS=(--trust-file /run/lab/mesh/cert.pem)
}

# certificate HOST NAME: a self-signed one, in cert.pem and key.pem of the host's folder.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$2" \
        -addext "subjectAltName=DNS:$2" -keyout "/run/lab/$1/key.pem" -out "/run/lab/$1/cert.pem" 2>/dev/null
}

# publish NAME HOST: the name resolves to the host's addresses everywhere in the lab.
publish() {
    echo "${ADDRESS[$2]} $1" >>/run/lab/system/etc/hosts
    [[ -z ${ADDRESS6[$2]-} ]] || echo "${ADDRESS6[$2]} $1" >>/run/lab/system/etc/hosts
}

start_server() {
    prepare_server
    launch mesh mesh "$SKEIN_BIN/skein-server" serve --config /run/lab/mesh/config.toml
    await 10 server_answers
    alive mesh || fail "skein-server ended instead of serving"
    [[ -n $JOIN_KEY ]] || administer users create lab >/dev/null
    JOIN_KEY=${JOIN_KEY:-$(new_key --reusable)}
}

# Or is gone: then there is nothing to wait for.
server_answers() {
    alive mesh || return 0
    on mesh curl -fsSk -m 1 "$SERVER_URL/key?v=113" >/dev/null
}

# administer WORD…: an administrator's command on the server's host.
administer() {
    on mesh "$SKEIN_BIN/skein-server" --config /run/lab/mesh/config.toml "$@"
}

# new_key [FLAG…]: a fresh pre-auth key of the user "lab".
new_key() {
    administer preauthkeys create --user lab --output json "$@" | jq -er .key
}

start_node() {
    local name=$1
    shift
    # shellcheck disable=SC2086
    (($# > 0)) || set -- ${NODE_FLAGS[$name]-}
    NODE_FLAGS[$name]=$*
    mkdir -p "/run/lab/$name/state"
    launch "$name" "$name" "$SKEIN_BIN/skein" daemon --state-dir "/run/lab/$name/state" \
        --socket "/run/lab/$name/skein.sock" --port "$SKEIN_PORT" --tun skein0 \
        "${TRUST_FLAGS[@]}" "$@"
    await 10 daemon_answers "$name"
    alive "$name" || fail "the daemon of $name ended instead of running"
}

daemon_answers() {
    alive "$1" || return 0
    skein "$1" status --json >/dev/null
}

# skein HOST WORD…: the command line of that host's node.
skein() {
    local host=$1
    shift
    on "$host" "$SKEIN_BIN/skein" --socket "/run/lab/$host/skein.sock" "$@"
}

# up HOST [FLAG…]: joins the mesh with a reusable key and waits until the node runs.
up() {
    local host=$1
    shift
    skein "$host" up --login-server "$SERVER_URL" --auth-key "$JOIN_KEY" \
        --hostname "${NAME_OF[$host]:-$host}" --timeout "$((15 * PATIENCE))s" "$@" >>"$LOGS/$host.log" 2>&1
    await 10 running "$host"
}

# asks HOST [FLAG…]: runs up without a key and waits until it shows a page: LINK is that page's path, ASKING the
# process that goes on.
asks() {
    local host=$1
    shift
    skein "$host" up --login-server "$SERVER_URL" --hostname "$host" --timeout 60s "$@" >"/run/lab/$host/up.log" 2>&1 &
    # shellcheck disable=SC2034
    ASKING=$!
    await 10 grep -q '/register/' "/run/lab/$host/up.log"
    LINK=$(grep -o '/register/[A-Za-z0-9]*' "/run/lab/$host/up.log" | head -n 1)
}

# join HOST…: starts a node on each host and brings it up.
join() {
    local host
    for host in "$@"; do
        start node "$host"
        up "$host"
    done
}

running() {
    [[ $(skein "$1" status --json | jq -r .BackendState) == Running ]]
}

# peer A B FIELD: what A's status says about its peer B; empty when it has no such peer.
peer() {
    skein "$1" status --json |
        jq -r --arg name "${NAME_OF[$2]:-$2}" --arg field "$3" \
            '[.Peer // {} | .[] | select(.HostName == $name)][0][$field] // ""'
}

# sees A B: A has B as a peer that the server calls online.
sees() {
    [[ $(peer "$1" "$2" Online) == true ]]
}

# address4 HOST, address6 HOST: the node's own addresses in the mesh.
address4() {
    mesh_address "$1" 0
}

address6() {
    mesh_address "$1" 1
}

mesh_address() {
    local kept=/run/lab/$1/addresses
    [[ -s $kept ]] || skein "$1" status --json |
        jq -er '.Self.TailscaleIPs | sort_by(contains(":")) | join(" ")' >"$kept"
    local addresses
    read -ra addresses <"$kept"
    echo "${addresses[$2]}"
}

# mesh_bytes: bytes that have passed the server's network interface so far, both ways.
mesh_bytes() {
    local received sent
    { read -r received && read -r sent; } < <(on mesh cat /sys/class/net/eth0/statistics/{rx,tx}_bytes)
    echo $((received + sent))
}

# memory_kb PROGRAM: resident memory of a running program.
memory_kb() {
    sed -nE 's/^VmRSS:\s+([0-9]+) kB/\1/p' "/proc/${PID[$1]}/status"
}

# complains NAME SECONDS PATTERN: the program ends by itself with an error, and its last lines say why.
complains() {
    await "$2" gone "$1"
    forget "$1"
    ((EXIT_STATUS != 0)) || fail "$1 ended with status 0"
    LAST_OUTPUT=$(tail -n 5 "$LOGS/$1.log")
    says "$3"
    [[ $LAST_OUTPUT != *"Fatal error"* ]] || fail "$1 trapped: $LAST_OUTPUT"
}
