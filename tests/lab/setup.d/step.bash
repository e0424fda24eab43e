# Progress of the set-up: one line per step, with the time it took.
# shellcheck shell=bash disable=SC2154 # step_log, where all words go: set by who reads this

# A person who waits sees a sign of life at least this often (seconds).
step_beat=2

fail() {
    printf 'set-up: %s\n' "$*" >&2
    exit 1
}

# step TEXT COMMAND...: runs the command, shows TEXT, a counter and the outcome; the command's own
# words go to $step_log and are shown only if it fails.
step() {
    local text=$1 began=$SECONDS pid status=0 from
    shift
    from=$(($(wc -l <"$step_log") + 1))
    printf '%s\n' "--- $text: $*" >>"$step_log"
    "$@" >>"$step_log" 2>&1 &
    pid=$!
    step_show_until_end "$pid" "$text" "$began"
    wait "$pid" || status=$?
    if [ -t 1 ]; then
        printf '\r\033[K'
    fi
    if [ "$status" != 0 ]; then
        printf '  %-60s FAILED after %d s\n' "$text" $((SECONDS - began))
        tail -n "+$from" "$step_log" | tail -n 15 >&2
        fail "\"$text\" ended with status $status; all of it is in $step_log"
    fi
    printf '  %-60s %4d s\n' "$text" $((SECONDS - began))
}

step_show_until_end() {
    local pid=$1 text=$2 began=$3 last=$3
    while kill -0 "$pid" 2>>/dev/null; do
        sleep 0.1
        if [ $((SECONDS - last)) -ge "$step_beat" ]; then
            last=$SECONDS
            if [ -t 1 ]; then
                printf '\r  %-60s %4d s …' "$text" $((SECONDS - began))
            elif [ $(((SECONDS - began) % 10)) -lt "$step_beat" ]; then
                printf '  %-60s %4d s so far\n' "$text" $((SECONDS - began))
            fi
        fi
    done
}
