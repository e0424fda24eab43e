# The other virtiofsd: where QEMU's (in C) is what the distribution has, the one in Rust of Debian
# sid, with the C library that it is made for; none of it is installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

virtiofsd_provide() {
    [ ! -x /usr/libexec/virtiofsd ] && [ ! -x "$lab/virtiofsd/virtiofsd" ] || return 0
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
        virtiofsd_bind "$root" "$root/virtiofsd"
    fi
    rm -rf "$root/apt"
}

# A program that finds loader and libraries by itself: a script around it would run in no jail.
virtiofsd_bind() {
    local library
    library=$(dirname "$(find "$1/usr/lib" -name 'libc.so.6' | head -n 1)")
    patchelf --set-interpreter "$(readlink -f "$library"/ld-linux*.so.*)" --force-rpath \
        --set-rpath "$library" --output "$2" "$1/usr/libexec/virtiofsd"
    chmod +x "$2"
}
