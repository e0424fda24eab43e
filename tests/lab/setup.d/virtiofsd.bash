# The other virtiofsd: where QEMU's (in C) is what the distribution has, the one in Rust of Debian
# sid, with the C library that it is made for; none of it is installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

virtiofsd_provide() {
    [ ! -x /usr/libexec/virtiofsd ] && [ ! -x "$lab/virtiofsd/run" ] || return 0
    if apt_use_suite "$lab/virtiofsd/apt" sid >>"$step_log" 2>&1; then
        step "fetching virtiofsd from Debian sid" virtiofsd_fetch
        apt_private=()
    fi
}

# It may not be there to be had: who needs it says so.
virtiofsd_fetch() {
    local root=$lab/virtiofsd
    if apt-get -q "${apt_private[@]}" update &&
        apt_unpack "$root" virtiofsd libc6 libgcc-s1 libseccomp2 libcap-ng0; then
        virtiofsd_wrap "$root" >"$root/run"
        chmod +x "$root/run"
    fi
    rm -rf "$root/apt"
}

# The daemon looks for the names of options in the program that it starts.
virtiofsd_wrap() {
    local library
    library=$(dirname "$(find "$1/usr/lib" -name 'libc.so.6' | head -n 1)")
    cat <<END
#!/bin/sh
# virtiofsd in Rust, which takes --shared-dir, --modcaps and --inode-file-handles.
exec $library/$(basename "$(readlink -f "$library"/ld-linux*.so.*)") --library-path $library $1/usr/libexec/virtiofsd "\$@"
END
}
