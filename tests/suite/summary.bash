# Runs tests one by one and says at the end how they ended.
# shellcheck shell=bash disable=SC2154 # lab, about: set by tests/run

summary_lines=()
summary_passed=0
summary_failed=0
summary_skipped=0

# What a test's function returns if it cannot be tried here; its last line says why.
SKIPPED=77

# No test may take longer, whatever hangs (seconds).
summary_limit=900

# summary_run NAME: runs test_NAME (with _ for -) in a process of its own, its words in a file.
summary_run() {
    local name=$1 log=$lab/tests/$1.log status=0 began=$SECONDS reason='' word
    printf '%-22s … ' "$name"
    timeout --kill-after=20 "$summary_limit" \
        bash -c "$(declare -p about root lab SKIPPED; declare -f); set -euo pipefail; test_${name//-/_}" \
        >"$log" 2>&1 </dev/null || status=$?
    case $status in
    0)
        word=PASS
        summary_passed=$((summary_passed + 1))
        ;;
    "$SKIPPED")
        word=SKIP
        summary_skipped=$((summary_skipped + 1))
        reason=$(tail -n 1 "$log")
        ;;
    *)
        word=FAIL
        summary_failed=$((summary_failed + 1))
        reason="$(summary_reason "$log" "$status"); see ${log#"$root/"}"
        ;;
    esac
    printf '%s %d s\n' "$word" $((SECONDS - began))
    [ "$word" != FAIL ] || tail -n 25 "$log" | sed 's/^/    | /'
    summary_lines+=("$(printf '%s  %-22s %4d s  %s' "$word" "$name" $((SECONDS - began)) "$reason")")
}

summary_reason() {
    if [ "$2" = 124 ] || [ "$2" = 137 ]; then
        printf 'ended after %d s' "$summary_limit"
    else
        tail -n 1 "$1" | cut -c 1-160
    fi
}

summary_print() {
    printf '\n'
    printf '%s\n' "${summary_lines[@]}"
    printf '%d passed, %d failed, %d skipped\n' \
        "$summary_passed" "$summary_failed" "$summary_skipped"
    [ "$summary_failed" = 0 ]
}
