# libvirt of the next Debian, with its QEMU: a root by mmdebstrap in which its daemons run by chroot;
# nothing of it is installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

libvirt_packages=(libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-log libvirt-clients
    qemu-system-x86 libc-bin util-linux)

# build/lab/libvirt/root. Makes nothing where that cannot be had; who needs it looks whether it is
# there.
libvirt_provide() {
    local to=$lab/libvirt uri
    [ ! -e "$to/complete" ] && command -v mmdebstrap >>/dev/null || return 0
    [ -n "$(apt_archives)" ] || apt_update
    uri=$(apt_archives | awk 'sub(/ Debian\|Debian$/, "") && !found { print; found = 1 }')
    [ -z "$uri" ] || step "unpacking libvirt of Debian $newer_suite" libvirt_make "$to" "$uri"
}

# It may not be there to be had: who needs it says so.
libvirt_make() {
    local to=$1 root=$1/root packages=${libvirt_packages[*]}
    rm -rf "$to"
    mkdir -p "$root"
    mmdebstrap --variant=extract --include="${packages// /,}" \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        "$newer_suite" "$to/root.tar" "$2" || return 0
    tar -xf "$to/root.tar" -C "$root" --exclude=./dev
    rm "$to/root.tar"
    mkdir -p "$root"/{dev,proc,sys,run,tmp,etc,var/{lib,cache,log}/libvirt,etc/libvirt}
    touch "$root"/etc/{passwd,group}
    touch "$to/complete"
}
