# Tests with real guests (tests/lab/scenarios), one of them in a VM inside a VM.
# shellcheck shell=bash disable=SC2034,SC2154 # the tables are read, and root, lab set, by tests/run

guest_tests=()

# Each scenario is a test; the first line of its text says what it holds.
guest_tests_find() {
    local file name
    for file in "$here"/lab/scenarios/[a-z]*.py; do
        name=${file##*/}
        name=${name%.py}
        name=${name//_/-}
        about["$name"]=$(sed -n '1s/^"""\(.*[^"]\)"*$/\1/p' "$file")
        guest_tests+=("$name")
        eval "test_${name//-/_}() { guest_scenario $name; }"
    done
}

# With LAB_ASAN, a scenario holds only if no sanitizer had something to say.
guest_scenario() {
    local status=0
    if [ -n "${LAB_ASAN:-}" ]; then
        export LAB_RUN=$lab/tests/asan/$1
        rm -rf "$LAB_RUN"
    fi
    /usr/bin/python3 tests/lab/scenario.py "$1" || status=$?
    if [ -n "${LAB_ASAN:-}" ] && memory_reports "$LAB_RUN"; then
        echo "$1: a sanitizer had something to say"
        return 1
    fi
    return "$status"
}

guest_tests_find
scenario_tests=("${guest_tests[@]}")

about[demo]="tests/lab/demo ends with exit 0"
about[first-frame]="the first frame is on the wire within 1.2 times the least program's instructions"
about[vhost-vsock]="a guest over the kernel's own vhost-vsock, in a VM inside a VM if need be"
about[handshake-cost]="instructions and memory of a thousand VMs' handshakes keep to their goals"
about[bench-smoke]="every figure of tests/bench/run is there, and can be"
guest_tests+=(demo first-frame handshake-cost bench-smoke vhost-vsock)

test_demo() {
    "$root/tests/lab/demo"
}

test_first_frame() {
    "$root/tests/bench/first-frame" --hold
}

test_handshake_cost() {
    "$root/tests/bench/handshake-instructions"
}

test_bench_smoke() {
    "$root/tests/bench/run" --smoke
}

# In a VM inside a VM where this machine has no /dev/vhost-vsock.
guest_vhost_scenario() {
    if [ -e /dev/vhost-vsock ]; then
        LAB_VSOCK=vhost guest_scenario "$1"
    else
        LAB_VSOCK=nested guest_scenario "$1"
    fi
}

test_vhost_vsock() {
    guest_vhost_scenario guest-published
}

# Elsewhere a socket names the VM, and no CID.
test_cid_taken() {
    guest_vhost_scenario cid-taken
}

# Debian's small kernel has no 9P: this one needs the large one.
test_share_9p() {
    if [ ! -e "$lab/kernel/full/complete" ] &&
        ! grep -q '/9p\.ko' "$lab"/kernel/cloud/lib/modules/*/modules.dep; then
        "$root/tests/lab/setup" run 9p
    fi
    guest_scenario share-9p
}

# Debian 12's own kernels unpack no modules: this one needs a later one, too.
test_compressed_modules() {
    "$root/tests/lab/setup" run unpacking
    guest_scenario compressed-modules
}

# guest_spied NAME yes|no: on a host whose kernel has udmabuf, or has none.
guest_spied() {
    local kernel=cloud here=no
    "$root/tests/lab/setup" run virtiofsd
    "$root/tests/lab/setup" run unpacking # Debian 12's usual kernel has none, either
    [ ! -e /dev/udmabuf ] || here=yes
    [ ! -e "$lab/kernel/unpacking/complete" ] || [ "$2" = no ] || kernel=unpacking
    if [ "$here" = "$2" ]; then
        guest_scenario "$1"
    else
        LAB_OUTER=$kernel LAB_VSOCK=nested guest_scenario "$1"
    fi
}

test_aperture_spy() { guest_spied aperture-spy yes; }
test_aperture_narrowed() { guest_spied aperture-narrowed no; }
