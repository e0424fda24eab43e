# Tests of what an operator gets: the packages, the units, the configuration's schema, and a host
# with a real systemd.
# shellcheck shell=bash disable=SC2034,SC2154 # the tables are read, and root, lab set, by tests/run

about[share-escapes]="virtiofsd, in C and in Rust: a hostile FUSE client reaches the share and nothing else"
about[units]="systemd-analyze finds nothing wrong with the units; the daemon rates 2.5 or better, QEMU 1.6"
about[fleet]="numbers can be scraped, and telemetry turns into OpenTelemetry's log records"
about[help]="each command's --help fits a screen of 80 columns and 24 lines, and has no colours"
about[schema]="the configuration's JSON Schema and the daemon's reader agree"
about[packages]="packages go into a clean Debian and out again; lintian sees no error in them"
about[systemd-host]="a Debian with systemd: packages, README's five minutes, journal, restart, watchdog"
about[p9-escapes]="a hostile 9P client, as a guest's root may be, reaches nothing but its share"
about[p9-jail]="what serves 9P is jailed, bounded in number and rate, and never runs without its jail"
about[image]="guestlink-mkinitramfs: the same input gives the same bytes, and PID 1 can load its modules"
host_tests=(units help fleet schema p9-escapes p9-jail share-escapes image packages systemd-host)

# What packages are made of: build/release.
host_build() {
    "$root/tests/lab/build" release
}

# host_alone COMMAND...: installing and packing write into the build; one test at a time does.
host_alone() {
    flock "$lab/release.lock" "$@"
}

# host_pack TO: the packages, into the folder TO/debs, and of a newer version, TO/newer.
host_pack() {
    rm -rf "$1"
    host_pack_version "$1/debs"
    host_pack_version "$1/newer" -R 99.0.0
}

# host_pack_version TO [CPACK-ARGUMENT...]
host_pack_version() {
    local to=$1
    shift
    mkdir -p "$to"
    host_alone cpack --config "$root/build/release/CPackConfig.cmake" -B "$to/work" "$@"
    mv "$to"/work/*.deb "$to"
    rm -rf "$to/work"
}

test_units() {
    host_build
    host_alone "$root/tests/host/units" "$root/build/release"
}

# With all the virtiofsds that can be had: the distribution's, and where that is QEMU's the other.
test_share_escapes() {
    local program programs=() missing=()
    "$root/tests/lab/setup" run virtiofsd
    for program in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd "$lab/virtiofsd/virtiofsd"; do
        [ ! -x "$program" ] || programs+=("$program")
    done
    [ ${#programs[@]} = 0 ] || "$root/tests/host/share/escapes" "$root/build/default" "${programs[@]}"
    [ -x /usr/lib/qemu/virtiofsd ] || missing+=("QEMU's virtiofsd (in C, up to QEMU 7.2)")
    [ -x /usr/libexec/virtiofsd ] || [ -x "$lab/virtiofsd/virtiofsd" ] ||
        missing+=("virtiofsd in Rust (not installed, and not to be had of Debian sid)")
    if [ ${#missing[@]} != 0 ]; then
        echo "not tried, for it is not on this machine: ${missing[*]}"
        return "$SKIPPED"
    fi
}

test_help() {
    local build=$root/build/default command words
    for command in "$build/hostd/guestlinkctl" "$build/hostd/guestlink-hostd" \
        "$build/init/guestlink-init" "$build/init/guestlink-mkinitramfs" "$root/tests/run" \
        "$root/tests/lab/demo"; do
        words=$(script -qec "$command --help" /dev/null | tr -d '\r')
        if ! awk 'length > 80 || /\033/ || NR > 24 { wrong = 1 } END { exit wrong || NR < 2 }' \
            <<<"$words"; then
            printf '%s --help does not fit a screen:\n%s\n' "$command" "$words"
            return 1
        fi
        printf '%s --help: %s lines\n' "${command##*/}" "$(wc -l <<<"$words")"
    done
}

test_fleet() {
    "$root/tests/host/fleet" "$root" "$root/build/default/hostd/guestlink-hostd"
}

test_schema() {
    "$root/tests/host/schema" "$root" "$root/build/default/hostd/guestlink-hostd"
}

# host_p9 NAME: a real diod, started by the daemon.
host_p9() {
    if ! command -v diod >>/dev/null; then
        echo "diod is missing, which serves 9P"
        return "$SKIPPED"
    fi
    /usr/bin/python3 "$root/tests/client/$1" "$root/build/default/hostd/guestlink-hostd"
}

test_p9_escapes() {
    host_p9 p9-escapes
}

test_p9_jail() {
    host_p9 p9-jail
}

test_image() {
    "$root/tests/host/image" "$root/build/default/init/guestlink-mkinitramfs" "$lab/kernel/cloud"
}

test_packages() {
    if ! command -v lintian >>/dev/null; then
        echo "lintian is missing, which looks at packages"
        return "$SKIPPED"
    fi
    "$root/tests/lab/setup" run clean
    if [ ! -e "$lab/debian/clean.tar" ]; then
        echo "no mmdebstrap here, or this is not Debian: there is no clean root to install into"
        return "$SKIPPED"
    fi
    host_build
    host_pack "$lab/packages"
    lintian --allow-root --fail-on error --suppress-tags-from-file /dev/null \
        "$lab"/packages/debs/*.deb
    "$root/tests/host/packages" "$lab/packages/debs" "$lab/packages/newer" "$lab/debian/clean.tar"
}

test_systemd_host() {
    "$root/tests/lab/setup" run host
    if [ ! -e "$lab/debian/host.ext4" ]; then
        echo "no mmdebstrap here, or this is not Debian: there is no root with systemd to boot"
        return "$SKIPPED"
    fi
    host_build
    host_pack "$lab/host"
    /usr/bin/python3 tests/lab/systemd_host.py \
        "$lab/host/debs" "$lab/host/newer" "$lab/debian/host.ext4"
}
