# shellcheck shell=bash
# What must be true. A path is judged twice: by what `status` says, and by a witness that does not
# depend on our programs: how many bytes pass the relay's network interface meanwhile.

# ping4 A B [FLAG…], ping6 A B [FLAG…]: through the tunnel; one packet unless told otherwise.
ping4() {
    local from=$1 to=$2
    shift 2
    (($# > 0)) || set -- -c 1 -W 1
    on "$from" ping -4 -n "$@" "$(address4 "$to")"
}

ping6() {
    local from=$1 to=$2
    shift 2
    (($# > 0)) || set -- -c 1 -W 1
    on "$from" ping -6 -n "$@" "$(address6 "$to")"
}

# reach A B [SECONDS]: traffic flows both ways over IPv4 and IPv6 within the time (5 s).
reach() {
    local seconds=${3:-5}
    await "$seconds" ping4 "$1" "$2"
    await "$seconds" ping4 "$2" "$1"
    await "$seconds" ping6 "$1" "$2"
    await "$seconds" ping6 "$2" "$1"
}

# expect direct A B [SECONDS]    both ends send straight to each other within the time (10 s)
# expect relayed A B             both ends go through the relay, and still do after they have tried
expect() {
    local path=$1
    shift
    case $path in
    direct) expect_direct "$@" ;;
    relayed) expect_relayed "$@" ;;
    *) fail "expect what?" ;;
    esac
}

expect_direct() {
    await "${3:-10}" direct "$1" "$2"
    await "${3:-10}" direct "$2" "$1"
    await "${3:-10}" bypasses_relay "$1" "$2"
}

# Whether next to nothing of the traffic between the two touches the relay. News of other nodes may, so
# one look can be wrong.
bypasses_relay() {
    local bytes
    bytes=$(bytes_by_relay "$1" "$2")
    echo "$bytes of 40000 bytes passed the relay"
    ((bytes < 30000))
}

# Whether A sends straight to B. The ping keeps the path wanted.
direct() {
    ping4 "$1" "$2" >/dev/null || true
    local current
    current=$(peer "$1" "$2" CurAddr)
    echo "CurAddr=$current"
    [[ -n $current ]]
}

expect_relayed() {
    local bytes current
    # Long enough for several rounds of path finding.
    ping4 "$1" "$2" -i 0.2 -w 6 >/dev/null
    bytes=$(bytes_by_relay "$1" "$2")
    ((bytes > 40000)) || fail "only $bytes of 40000 bytes from $1 to $2 passed the relay"
    for pair in "$1 $2" "$2 $1"; do
        # shellcheck disable=SC2086
        current=$(peer $pair CurAddr)
        [[ -z $current ]] || fail "$pair are to be relayed, but CurAddr is $current"
        # shellcheck disable=SC2086
        [[ -n $(peer $pair Relay) ]] || fail "$pair: status names no relay"
    done
}

# Sends 20 echo requests of 1000 bytes (40000 bytes with the replies) and prints how much passed the
# server's interface meanwhile: twice that when relayed, next to nothing when direct.
bytes_by_relay() {
    local before
    before=$(mesh_bytes)
    ping4 "$1" "$2" -c 20 -i 0.05 -s 1000 -W 2 >/dev/null
    echo $(($(mesh_bytes) - before))
}

# flow A B [INTERVAL]: starts a steady stream of echo requests (20 a second); flow_ends expects that not more
# than LOST of them went unanswered, and leaves in FLOW_SENT and FLOW_LOST how many there were.
flow() {
    : >"$LOGS/flow.log"
    launch flow "$1" ping -4 -n -i "${3:-0.05}" -W 2 "$(address4 "$2")"
}

flow_ends() {
    local lost=${1:-0} sent received
    kill -INT "${PID[flow]}"
    await 5 gone flow
    forget flow
    read -r sent received < <(sed -nE \
        's/^([0-9]+) packets transmitted, ([0-9]+) received.*/\1 \2/p' "$LOGS/flow.log" | tail -1)
    FLOW_SENT=$sent FLOW_LOST=$((sent - received))
    step "$FLOW_LOST of $sent packets lost"
    # One may be under way when the stream is stopped.
    ((FLOW_LOST <= lost + 1 && sent > 0)) || fail "lost $FLOW_LOST of $sent packets, allowed are $lost"
}

# outage A B [PING FLAG…] -- COMMAND…: runs the command under a stream of echo requests (50 a second) and
# leaves in OUTAGE for how many milliseconds none was answered, once three seconds' worth have been again.
outage() {
    local from=$1 to=$2 flags=()
    shift 2
    until [[ $1 == -- ]]; do flags+=("$1"); shift; done
    shift
    : >"$LOGS/outage.log"
    launch outage "$from" ping -4 -n -D -i 0.02 -W 2 "${flags[@]}" "$(address4 "$to")"
    await 5 answered outage 50
    "$@"
    await 15 answered outage $(($(answers outage) + 150))
    kill -INT "${PID[outage]}"; await 5 gone outage; forget outage
    OUTAGE=$(sed -nE 's/^\[([0-9.]+)\] .*bytes from.*/\1/p' "$LOGS/outage.log" |
        awk 'NR > 1 && $1 - last > gap {gap = $1 - last} {last = $1} END {printf "%d\n", gap * 1000}')
    step "$*: $OUTAGE ms without an answer"
}

# expect_outage MILLISECONDS: the last outage was not longer, give or take two packets of the stream.
expect_outage() {
    ((OUTAGE <= $1 * PATIENCE + 40)) || fail "$OUTAGE ms without an answer, allowed are $1"
}

answers() { grep -c 'bytes from' "$LOGS/$1.log" || true; }
answered() { (($(answers "$1") >= $2)); }
