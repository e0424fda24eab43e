# Says how each test ended, and in the end all of it.
# shellcheck shell=bash disable=SC2154 # root, lab, lanes_limit: set by tests/run

# What a test's function returns if it cannot be tried here; its last line says why.
SKIPPED=77

declare -A summary_word=() summary_line=()

# summary_note NAME STATUS SECONDS: one whole line now. The failed tests' words come in the end.
summary_note() {
    local name=$1 status=$2 seconds=$3 log=$lab/tests/$1.log word reason=''
    case $status in
    0) word=PASS ;;
    "$SKIPPED")
        word=SKIP
        reason=$(tail -n 1 "$log")
        ;;
    *)
        word=FAIL
        reason=$(summary_reason "$log" "$status")
        ;;
    esac
    summary_word[$name]=$word
    summary_line[$name]=$(printf '%s  %-22s %4d s  cpu %4d s  %s' "$word" "$name" "$seconds" \
        "$(summary_cpu "$lab/tests/$name.times")" "$reason")
    # The name first: only the summary has lines that begin with FAIL.
    printf '  %-22s %s %4d s  %s\n' "$name" "$word" "$seconds" "$reason"
}

summary_reason() {
    if [ "$2" = 124 ] || [ "$2" = 137 ]; then
        printf 'ended after %d s' "$lanes_limit"
    else
        tail -n 1 "$1" | cut -c 1-160
    fi
}

# summary_cpu FILE: seconds, of what the shell's `times` wrote there: of it and all it waited for.
summary_cpu() {
    tr ' ms' '\n  ' <"$1" | awk '{ seconds += 60 * $1 + $2 } END { printf "%.0f", seconds }'
}

summary_has_failed() {
    [ "${summary_word[$1]:-}" = FAIL ]
}

# summary_print NAME...: all lines, in this order, but the failed ones last, each with its log's
# end: who is shown only what is around the first FAIL sees what the cause was.
summary_print() {
    local name passed=0 failed=0 skipped=0
    printf '\n'
    for name in "$@"; do
        case ${summary_word[$name]:-} in
        PASS) passed=$((passed + 1)) ;;
        SKIP) skipped=$((skipped + 1)) ;;
        FAIL) failed=$((failed + 1)) && continue ;;
        *) continue ;;
        esac
        printf '%s\n' "${summary_line[$name]}"
    done
    times >"$lab/tests/times"
    summary_total $SECONDS "$(summary_cpu "$lab/tests/times")"
    for name in "$@"; do
        if summary_has_failed "$name"; then
            printf '%s\n' "${summary_line[$name]}"
            summary_words "$lab/tests/$name.log" $((failed > 4 ? 4 : 20 / failed))
        fi
    done
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ]
}

summary_total() {
    printf '\n%d min %d s; of the processors: %d min %d s\n' \
        $(($1 / 60)) $(($1 % 60)) $(($2 / 60)) $(($2 % 60))
}

# summary_words LOG COUNT: its last lines that tell something.
summary_words() {
    tr -cd '\11\12\40-\176\200-\377' <"$1" |
        grep -avE '^[[:space:]]*$|^\[[0-9]+/[0-9]+\] (Building|Linking|Generating)' |
        tail -n "$2" | cut -c 1-200 | sed 's/^/    | /'
}
