# Tests of the code: it builds, unit tests, form, layers, static analysis.
# shellcheck shell=bash disable=SC2034,SC2154 # the tables are read, and root, lab set, by tests/run

declare -A about
about[build-gcc]="builds with gcc, every warning an error"
about[build-clang]="builds with clang, every warning an error"
about[build-asan]="builds with both sanitizers, every warning an error"
about[build-release]="builds as packages have it"
about[build-fuzz]="the fuzz targets build"
about[unit]="unit tests, and a second implementation against the daemon"
about[unit-asan]="the same under AddressSanitizer and UndefinedBehaviorSanitizer"
about[varlink-client]="a standard Varlink client understands the control socket"
about[format]="the code has the form of .clang-format (version 14)"
about[layers]="includes and calls point one way; guestlinkctl has nothing of the daemon's in it"
about[shell]="shellcheck has nothing to say about the scripts"
about[python]="the lab's Python compiles without a warning"
about[tidy]="clang-tidy has nothing to say"
about[fuzz]="no decoder falls over what it knows, nor over new input for a minute"
about[size]="guestlink-init is at most 1.5 MB stripped, guestlinkctl 200 KB"
code_tests=(build-gcc build-clang build-asan build-release build-fuzz unit unit-asan varlink-client
    format layers shell python size tidy fuzz)

# The C sources and headers that are ours.
code_files() {
    find "$root/protocol" "$root/init" "$root/hostd" "$root/tests" -name '*.[ch]' | sort
}

test_build_gcc() {
    cmake --preset default -DGUESTLINK_WERROR=ON && cmake --build --preset default
}

test_build_clang() {
    cmake --preset clang -DGUESTLINK_WERROR=ON && cmake --build --preset clang
}

test_build_asan() {
    cmake --preset asan -DGUESTLINK_WERROR=ON && cmake --build --preset asan
}

test_build_release() {
    cmake --preset release && cmake --build --preset release
}

# code_fuzz SECONDS
code_fuzz() {
    if ! command -v clang >>/dev/null; then
        echo "clang is missing, which has libFuzzer"
        return "$SKIPPED"
    fi
    "$root/tests/fuzz/run" --seconds "$1"
}

test_build_fuzz() {
    code_fuzz 0
}

# code_ctest PRESET: what failed tests said comes last, then their names; ctest-PRESET.log beside
# the test's own has all of it.
code_ctest() {
    local log=$lab/tests/ctest-$1.log status=0 failed
    ctest --preset "$1" --quiet --output-on-failure --output-log "$log" || status=$?
    grep -a '% tests passed' "$log" || true
    if [ "$status" != 0 ]; then
        code_ctest_failures "$log"
        failed=$(sed -nE 's/^[[:space:]]+[0-9]+ - (.*)/\1/p' "$log" | paste -s -d ,)
        echo "ctest ended with status $status: ${failed:-$(tail -n 1 "$log")}"
    fi
    return "$status"
}

# Between the line that a test failed and the next test's: its words, but those of cmocka about what
# passed.
code_ctest_failures() {
    awk '
        / Test +#[0-9]+: |^ +Start +[0-9]+: |% tests passed/ { failed = /\*\*\*/; running = "" }
        !failed { next }
        /^\[ RUN / { running = $0; next }
        /^\[ +OK / { running = ""; next }
        /^\[(=+|  PASSED  )\]/ { next }
        running { print running; running = "" }
        { print }
    ' "$1"
}

test_unit() {
    code_ctest default
}

test_unit_asan() {
    "$root/tests/lab/build" asan
    code_ctest asan
}

test_varlink_client() {
    "$root/tests/client/varlink/run" "$root/build/default/hostd/guestlink-hostd"
}

test_format() {
    local version
    version=$(clang-format --version 2>>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
    if [ "$version" != 14 ]; then
        echo "clang-format ${version:-is missing} here; another version than 14 forms code otherwise"
        return "$SKIPPED"
    fi
    if ! code_files | xargs clang-format --dry-run -Werror; then
        echo "clang-format would form these lines otherwise"
        return 1
    fi
}

test_layers() {
    "$root/tests/unit/includes_point_one_way" "$root" &&
        "$root/tests/unit/symbols_point_one_way" "$root/build/default"
}

test_shell() {
    # Every script of ours, by its first line.
    grep -rlE --exclude-dir=build --exclude-dir=.git --exclude-dir=__pycache__ '^#!/bin/(ba|da)?sh' . | sort >"$lab/scripts"
    xargs shellcheck -x -P "$root" tests/lab/setup.d/*.bash tests/suite/*.bash <"$lab/scripts"
}

test_python() {
    find tests -name '*.py' -print0 | xargs -0 /usr/bin/python3 -W error -m py_compile
}

test_fuzz() {
    code_fuzz 60
}

# code_size PROGRAM MOST: fails if PROGRAM of the default build has more bytes, stripped.
code_size() {
    local copy=$lab/${1##*/}.stripped size
    strip -o "$copy" "$root/build/default/$1"
    size=$(stat -c %s "$copy")
    echo "${1##*/}: $size bytes stripped; at most $2"
    [ "$size" -le "$2" ]
}

test_size() {
    code_size init/guestlink-init 1500000 && code_size hostd/guestlinkctl 200000
}

test_tidy() {
    local database=$root/build/clang/compile_commands.json
    if ! command -v clang-tidy >>/dev/null; then
        echo "clang-tidy is missing"
        return "$SKIPPED"
    fi
    [ -e "$database" ] || cmake --preset clang
    # One file a process: version 14 takes va_list for uninitialised in all but a process' first file.
    # What it writes on stderr is how many warnings of system headers it kept back.
    if ! sed -n 's/^ *"file": "\(.*\)",*$/\1/p' "$database" | sort -u |
        xargs -n 1 -P "$(nproc)" clang-tidy --quiet -p "$root/build/clang" \
            >"$lab/tests/tidy.out" 2>>/dev/null; then
        grep -E ' (error|warning): ' "$lab/tests/tidy.out" | sort -u
        echo "$(grep -E ' (error|warning): ' "$lab/tests/tidy.out" | sort -u | wc -l) complaints"
        return 1
    fi
}
