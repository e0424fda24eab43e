# A root of Debian sid's with what guestlink run is compared with: virtme-ng, systemd-vmspawn, and the
# QEMU, virtiofsd and kernel that all of them use. Nothing of it is installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

rivals_packages=(systemd systemd-sysv systemd-container udev dbus virtme-ng qemu-system-x86 virtiofsd
    busybox-static linux-image-cloud-amd64 dracut kmod cpio xz-utils zstd procps libjson-c5 libseccomp2
    libnl-3-200 libnl-route-3-200)

# build/lab/rivals. Makes nothing where that cannot be had; who needs it looks whether it is there.
rivals_provide() {
    local to=$lab/rivals uri
    [ ! -e "$to/complete" ] && command -v mmdebstrap >>/dev/null || return 0
    [ -n "$(apt_archives)" ] || apt_update
    uri=$(apt_archives | awk 'sub(/ Debian\|Debian$/, "") && !found { print; found = 1 }')
    [ -z "$uri" ] || step "making a Debian sid with virtme-ng and systemd-vmspawn" \
        rivals_make "$to" "$uri"
}

rivals_make() {
    local to=$1 packages=${rivals_packages[*]} old
    # As this machine's apt has it: a mirror that stands still is no fault.
    old=$(apt-config dump Acquire::Check-Valid-Until)
    rm -rf "$to"
    mkdir -p "$to"
    mmdebstrap --variant=minbase --format=tar --include="${packages// /,}" \
        --aptopt='Apt::Install-Recommends "false"' ${old:+--aptopt="$old"} \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        sid "$to/root.tar" "$2" || return 0
    mkdir "$to/root"
    tar -xf "$to/root.tar" -C "$to/root" --exclude='./dev/*'
    rm "$to/root.tar"
    touch "$to/complete"
}
