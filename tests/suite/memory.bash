# Tests of how memory is used: real guests under sanitizers, the daemon under valgrind, what gcc's
# analyser sees.
# shellcheck shell=bash disable=SC2034,SC2154 # the tables are read, and root, lab set, by tests/run

about[analyzer]="gcc -fanalyzer has nothing to say"
about[lab-asan]="daemon and PID 1 with ASan and UBSan in real guests: no report"
about[lab-valgrind]="the daemon under valgrind with a real guest, PID 1's parts in unit tests: no error"
memory_tests=(analyzer lab-asan lab-valgrind)

test_analyzer() {
    [ -e "$root/build/default/compile_commands.json" ] || cmake --preset default
    "$root/tests/analyze" "$root/build/default"
}

# Lines that sanitizers write into the logs of a run, of the daemon or of the guest's console.
memory_reports() {
    grep -rnaE 'ERROR: (Address|Leak)Sanitizer|runtime error:|SUMMARY: [A-Za-z]+Sanitizer' "$1"
}

# Daemon and PID 1 are those of build/asan from here on.
sanitized() {
    "$root/tests/lab/build" asan || return 1
    export LAB_ASAN=1 LAB_BUILD=$root/build/asan UBSAN_OPTIONS=print_stacktrace=1
}

# The scenarios in which memory is handed about most: devices that come and go, daemons that end,
# files of all kinds, failures in the middle. (tests/run --asan runs all.)
test_lab_asan() {
    local name status left_out=()
    sanitized
    for name in guest-published kill-virtiofsd kill-hostd share-9p fault-descriptors; do
        status=0
        "test_${name//-/_}" || status=$?
        if [ "$status" = "$SKIPPED" ]; then
            left_out+=("$name")
        elif [ "$status" != 0 ]; then
            echo "$name did not hold with sanitizers"
            return 1
        fi
    done
    if [ ${#left_out[@]} != 0 ]; then
        echo "the others held; skipped: ${left_out[*]} (the reasons stand above)"
        return "$SKIPPED"
    fi
}

# PID 1 itself cannot run under valgrind, which is a process that starts another; and valgrind knows
# pidfd_open() only from 3.21 on, which is why this guest has no share, whose server is a child.
test_lab_valgrind() {
    local program check="valgrind --quiet --error-exitcode=99 --leak-check=full
        --errors-for-leak-kinds=definite --show-leak-kinds=definite --child-silent-after-fork=yes"
    if ! command -v valgrind >>/dev/null; then
        echo "valgrind is missing"
        return "$SKIPPED"
    fi
    LAB_HOSTD_WRAPPER=$check guest_scenario guest-no-share
    for program in "$root"/build/default/tests/unit/{init,protocol}_*_test; do
        # shellcheck disable=SC2086 # words
        if ! $check "$program" >"$lab/tests/valgrind.out" 2>&1; then
            cat "$lab/tests/valgrind.out"
            echo "${program##*/} under valgrind"
            return 1
        fi
    done
}
