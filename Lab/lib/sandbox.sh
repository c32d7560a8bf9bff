# shellcheck shell=bash
# Entering the namespaces, waiting for conditions, failing with everything a reader needs.

# Multiplies every deadline and budget: a machine busy with something else needs patience.
PATIENCE=${LAB_PATIENCE:-1}
SKIPPED=77
# The system's: a version manager's stand-in takes a tenth of a second each time.
PYTHON=/usr/bin/python3
[[ -x $PYTHON ]] || PYTHON=python3

# skip REASON…: ends the scenario as not run; the runner counts it.
skip() {
    echo "SKIP $*"
    exit $SKIPPED
}

# need TOOL…: skips the scenario when a program it uses is not installed.
need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || skip "$tool is not installed"
    done
}

# The seconds stated by the scenario's own `budget N` line.
stated_budget() {
    sed -nE 's/^budget ([0-9]+).*/\1/p' "$0" | head -1
}

# Runs the scenario again inside fresh namespaces. A process namespace comes with them: when its
# first process ends, the kernel ends the rest.
enter_sandbox() {
    [[ ${LAB_INSIDE-} != "$$" ]] || return 0
    PATH=$PATH:/usr/sbin:/sbin
    need unshare ip nft jq ping timeout
    local namespaces=(--net --mount --pid --fork --kill-child --mount-proc)
    ((EUID == 0)) || namespaces+=(--user --map-root-user)
    local refusal
    refusal=$(unshare "${namespaces[@]}" true 2>&1) ||
        skip "this system refuses the namespaces: ${refusal:-unshare failed}"
    local budget
    budget=$(stated_budget)
    export LAB_LIMIT=${LAB_LIMIT:-$((${budget:-120} * PATIENCE * 2))}
    # The number of the first process in a process namespace is 1: the mark above.
    LAB_INSIDE=1 exec timeout --foreground -s KILL $((LAB_LIMIT + 20)) \
        unshare "${namespaces[@]}" bash ${LAB_TRACE:+-x} "$0" "$@"
}

prepare_sandbox() {
    mount --make-rprivate /
    mount -t tmpfs run /run
    mkdir -p /run/lab /run/netns /run/wireguard
    # Where there is none and none can be made, names are asked of 127.0.0.1, where nobody is.
    hide_system_file /etc/resolv.conf "" || true
    hide_system_file /etc/hosts $'127.0.0.1 localhost\n::1 localhost' ||
        skip "the lab's names need a file /etc/hosts, and this system has none"
    LOGS=${LAB_LOGS:-/run/lab/logs}
    mkdir -p "$LOGS"
    ip link set lo up
    STARTED_AT=$(now)
    BUDGET=
    # Failures are told here, wherever the output of the failing word went.
    exec {REPORT}>&1
    trap 'on_error $? "$BASH_COMMAND"' ERR
    trap on_exit EXIT
    trap 'exit 130' INT TERM
    set -E
    end_when_overdue &
}

# A scenario that hangs shows where: whatever it waits for is ended, and so fails.
end_when_overdue() {
    trap - ERR EXIT
    sleep "$LAB_LIMIT"
    touch /run/lab/overdue
    kill -TERM -1
}

# Puts a private copy over a file of the system, or returns 1 where there is none and none can be made.
# Each host gets its own resolv.conf (see `on`).
hide_system_file() {
    local path copy
    path=$(readlink -m "$1")
    copy=/run/lab/system$1
    mkdir -p "$(dirname "$copy")" "$(dirname "$path")" 2>/dev/null || true
    printf '%s\n' "$2" >"$copy"
    [[ -e $path ]] || touch "$path" 2>/dev/null || return 1
    mount --bind "$copy" "$path"
}

# Milliseconds of a clock that only moves forward.
now() {
    local uptime rest
    read -r uptime rest </proc/uptime
    echo "$((10#${uptime/./} * 10))"
}

# budget SECONDS: states the time the scenario may take; exceeding it is a failure.
budget() {
    BUDGET=$(($1 * PATIENCE))
}

# await SECONDS COMMAND…: tries the command until it succeeds; fails the scenario when it has not
# done so in time. The command's output is shown only then.
await() {
    attempt "$@" || fail "not so after $1 s: ${*:2}${LAST_OUTPUT:+ ($LAST_OUTPUT)}"
}

# attempt SECONDS COMMAND…: like await, but only returns 1 when time is up.
attempt() {
    local deadline=$(($(now) + $1 * 1000 * PATIENCE))
    shift
    until LAST_OUTPUT=$("$@" 2>&1); do
        (($(now) < deadline)) || return 1
        sleep 0.05
    done
}

# refused COMMAND…: succeeds when the command fails, and keeps what it printed in LAST_OUTPUT.
refused() {
    if LAST_OUTPUT=$("$@" 2>&1); then
        fail "succeeded, but must be refused: $* ($LAST_OUTPUT)"
    fi
}

# says PATTERN: the output of the last await, attempt or refused matches the extended regex.
says() {
    grep -qiE -- "$1" <<<"$LAST_OUTPUT" || fail "expected a message with /$1/, got: $LAST_OUTPUT"
}

# step TEXT…: says what the scenario is about to show.
step() {
    printf '  %6.1f s  %s\n' "$(($(now) - STARTED_AT))e-3" "$*" >&"$REPORT"
}

fail() {
    trap - ERR
    FAILURE=${FAILURE:-"$*"}
    # In a subshell the exit status carries the failure to the ERR trap of the scenario's shell.
    exit 1
}

on_error() {
    trap - ERR
    FAILURE=${FAILURE:-"\"$2\" returned $1"}
    exit 1
}

# Where in the scenario its shell is just now, and what stands there.
scenario_line() {
    local depth
    for ((depth = ${#BASH_SOURCE[@]} - 1; depth > 0; depth--)); do
        if [[ ${BASH_SOURCE[depth]} == "$0" ]]; then
            local number=${BASH_LINENO[depth - 1]}
            echo "line $number: $(sed -n "${number}s/^ *//p" "$0")"
            return
        fi
    done
}

on_exit() {
    local status=$?
    trap - ERR EXIT
    set +e
    FAILED_AT=$(scenario_line)
    if ((status == SKIPPED)); then
        exit $SKIPPED
    fi
    local took=$(($(now) - STARTED_AT))
    if ((status == 0)) && [[ -n $BUDGET ]] && ((took > BUDGET * 1000)); then
        FAILURE="took $((took / 1000)) s, budget is $BUDGET s"
        status=1
    fi
    [[ ! -e /run/lab/overdue ]] || FAILURE="stopped after $LAB_LIMIT s, twice its budget; ${FAILURE-}"
    local fallen
    fallen=$(fallen_programs)
    if [[ -n $fallen ]]; then
        FAILURE="$fallen${FAILURE:+; $FAILURE}"
        status=1
    fi
    ((status == 0)) || show_failure "${FAILURE:-exit status $status}" >&"$REPORT" 2>&1
    end_programs
    exit "$status"
}

# Everything a reader needs: what was expected, where, and the end of what each program said.
show_failure() {
    printf '\nFAILED: %s\n        at %s\n\n' "$1" "$FAILED_AT"
    sed -n '2,/^[^#]/{/^#/s/^# \{0,1\}/    /p}' "$0"
    [[ -z ${SEED-} ]] || echo "    seed: $SEED"
    local log
    for log in "$LOGS"/*.log; do
        [[ -s $log ]] || continue
        printf '\n--- last 30 lines of %s\n' "$(basename "$log")"
        tail -n 30 "$log"
        echo
    done
}
