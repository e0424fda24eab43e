# Roots of this machine's own release of Debian, to install packages into: made by mmdebstrap from
# the machine's own sources, kept under build/lab/debian.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

# What a host of guests has, for a virtual machine with a systemd of its own.
debian_host_packages=(systemd systemd-sysv udev dbus passwd kmod cpio xz-utils procps iproute2
    libjson-c5 libsystemd0 libseccomp2 qemu-system-x86 qemu-system-common busybox-static diod logrotate
    socat systemd-journal-remote libvirt-daemon-system libvirt-clients)

# The least that the packages' dependencies need.
debian_clean_packages=(systemd passwd kmod cpio libjson-c5 libsystemd0 libseccomp2 libvirt0 libxml2)

debian_codename() {
    # shellcheck source=/dev/null
    (. /etc/os-release && [ "$ID" = debian ] && printf '%s' "$VERSION_CODENAME")
}

# debian_provide clean|host: build/lab/debian/clean.tar, or host.ext4. Makes nothing where that
# cannot be had; who needs it looks whether it is there.
debian_provide() {
    local release sources=() to=$lab/debian file
    mkdir -p "$to"
    command -v mmdebstrap >>/dev/null || return 0
    release=$(debian_codename) || return 0
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        [ ! -s "$file" ] || sources+=("$file")
    done
    # Debian 12 has it inside of QEMU's packages.
    ! apt_has_candidate virtiofsd || debian_host_packages+=(virtiofsd)
    case $1 in
    clean)
        debian_is_of "$to" clean.tar "${debian_clean_packages[*]}" ||
            step "making a clean root of Debian $release" \
                debian_make "$to/clean.tar" "${debian_clean_packages[*]}" "$release" "${sources[@]}"
        printf '%s' "${debian_clean_packages[*]}" >"$to/clean.packages"
        ;;
    host)
        debian_is_of "$to" host.ext4 "${debian_host_packages[*]}" ||
            step "making a Debian $release with systemd" \
                debian_make_image "$to/host.ext4" "${debian_host_packages[*]}" "$release" \
                "${sources[@]}"
        printf '%s' "${debian_host_packages[*]}" >"$to/host.packages"
        ;;
    esac
}

# debian_is_of FOLDER FILE PACKAGES: the file is there, and was made of these.
debian_is_of() {
    [ -e "$1/$2" ] && [ "$3" = "$(cat "$1/${2%.*}.packages" 2>>/dev/null)" ]
}

# debian_make TO PACKAGES RELEASE SOURCES...
debian_make() {
    local to=$1 packages=$2 release=$3
    shift 3
    mmdebstrap --variant=minbase --include="${packages// /,}" \
        --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        "$release" "$to.new.tar" "$@"
    mv "$to.new.tar" "$to"
}

debian_make_image() {
    local tree=$1.tree to=$1
    debian_make "$to.tar" "${@:2}"
    rm -rf "$tree"
    mkdir "$tree"
    tar -xf "$to.tar" -C "$tree"
    truncate -s 2G "$to.new"
    mke2fs -q -F -t ext4 -d "$tree" "$to.new"
    rm -rf "$tree" "$to.tar"
    mv "$to.new" "$to"
}
