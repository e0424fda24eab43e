# Runs tests, several at a time: each in a process of its own, its words in NAME.log.
# shellcheck shell=bash disable=SC2154 # root, lab, about: set by tests/run

# Those that keep every processor busy by themselves come before all others, one by one; those that
# measure come behind all others, likewise.
lanes_first=(build-gcc build-clang build-asan build-release build-fuzz tidy analyzer)
lanes_last=(first-frame bench-smoke)

# Seconds, of those that take long: they begin early, so that none is alone at the end.
declare -A lanes_takes=([systemd-host]=450 [vhost-vsock]=150 [cid-taken]=400 [fuzz]=75 [lab-asan]=60
    [lab-valgrind]=50 [hostile-host]=50 [systemd-root]=48 [pid1-alone]=45 [unit]=40 [unit-asan]=40
    [p9-jail]=60 [aperture-spy]=300 [aperture-narrowed]=60 [packages]=60)

# No test may take longer, whatever hangs (seconds).
lanes_limit=1800

declare -A lanes_name=() lanes_began=() # of those that run, by process id

# How many at a time: $LAB_JOBS, or one for each processor, at most 4. The host kernel's vsock has
# one port for the daemons of all tests: there it is one at a time.
lanes_count() {
    local jobs=${LAB_JOBS:-}
    if [ -z "$jobs" ]; then
        jobs=$(nproc)
        [ "$jobs" -le 4 ] || jobs=4
        case ${LAB_VSOCK:-} in
        vhost) jobs=1 ;;
        '') [ ! -e /dev/vhost-vsock ] || jobs=1 ;;
        esac
    elif [[ ! $jobs =~ ^[1-9][0-9]?$ ]]; then
        printf 'tests/run: LAB_JOBS=%s: expected a number from 1 to 99\n' "$jobs" >&2
        return 2
    fi
    printf '%s' "$jobs"
}

# lanes_run JOBS NAME...: each outcome goes to summary_note(). If the programs cannot be built,
# nothing else is tried.
lanes_run() {
    local jobs=$1 name first=() beside=() last=()
    shift
    trap lanes_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for name in "$@"; do
        if [ "$jobs" = 1 ] || [[ " ${lanes_first[*]} " == *" $name "* ]]; then
            first+=("$name")
        elif [[ " ${lanes_last[*]} " == *" $name "* ]]; then
            last+=("$name")
        else
            beside+=("$name")
        fi
    done
    lanes_fill 1 "${first[@]}"
    mapfile -t beside < <(lanes_longest_first "${beside[@]}")
    lanes_fill "$jobs" "${beside[@]}"
    lanes_fill 1 "${last[@]}"
}

lanes_longest_first() {
    local name
    for name in "$@"; do
        printf '%d %s\n' "${lanes_takes[$name]:-0}" "$name"
    done | sort -s -k 1,1nr | cut -d ' ' -f 2
}

# lanes_fill JOBS NAME...: returns when the last one has ended.
lanes_fill() {
    local jobs=$1 name
    shift
    for name in "$@"; do
        [ ${#lanes_name[@]} -lt "$jobs" ] || lanes_wait
        ! summary_has_failed build-gcc || break
        lanes_start "$name"
    done
    while [ ${#lanes_name[@]} != 0 ]; do
        lanes_wait
    done
}

# lanes_start NAME: begins test_NAME (with _ for -). It leaves the processors' time in NAME.times.
lanes_start() {
    local log=$lab/tests/$1.log times=$lab/tests/$1.times
    : >"$times"
    timeout --kill-after=20 "$lanes_limit" bash -c "$(declare -p about root lab SKIPPED; declare -f)
        trap 'times >$times' EXIT; set -euo pipefail; test_${1//-/_}" >"$log" 2>&1 </dev/null &
    lanes_name[$!]=$1
    lanes_began[$!]=$SECONDS
}

# Waits for one of them. (`wait -n` may miss one that has ended already, up to bash 5.2.)
lanes_wait() {
    local pid status=0
    while true; do
        for pid in "${!lanes_name[@]}"; do
            if ! kill -0 "$pid" 2>>/dev/null; then
                wait "$pid" || status=$?
                summary_note "${lanes_name[$pid]}" "$status" $((SECONDS - lanes_began[$pid]))
                unset "lanes_name[$pid]" "lanes_began[$pid]"
                return
            fi
        done
        sleep 0.2
    done
}

# Whoever ends this ends what it started: what times a test out passes the signal on.
lanes_end() {
    if [ ${#lanes_name[@]} != 0 ]; then
        kill "${!lanes_name[@]}" 2>>/dev/null || true
        wait
    fi
}
