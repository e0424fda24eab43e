# QEMU and passt of the next Debian, where the distribution's own are older than a vhost-user adapter
# needs: a root by mmdebstrap, from whose folder they run; nothing of it is installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

newer_suite=trixie

# build/lab/newer: qemu-system-x86_64 and passt. Makes nothing where that cannot be had; who needs it
# looks whether it is there.
newer_provide() {
    local to=$lab/newer uri
    [ ! -x "$to/passt" ] && command -v mmdebstrap >>/dev/null || return 0
    [ -n "$(apt_archives)" ] || apt_update
    uri=$(apt_archives | awk 'sub(/ Debian\|Debian$/, "") && !found { print; found = 1 }')
    [ -z "$uri" ] || step "unpacking QEMU and passt of Debian $newer_suite" newer_make "$to" "$uri"
}

# It may not be there to be had: who needs it says so.
newer_make() {
    local to=$1 root=$1/root
    rm -rf "$to"
    mkdir -p "$root"
    mmdebstrap --variant=extract --include=qemu-system-x86,passt,libc6 \
        --aptopt='Apt::Install-Recommends "false"' "$newer_suite" "$to/root.tar" "$2" || return 0
    tar -xf "$to/root.tar" -C "$root" --exclude=./dev
    rm "$to/root.tar"
    newer_bind "$root" qemu-system-x86_64 "$to/qemu-system-x86_64"
    newer_bind "$root" passt "$to/passt"
}

# A program that finds loader and libraries by itself, as a script would in no jail.
newer_bind() {
    local library
    library=$(dirname "$(find "$1/usr/lib" -name 'libc.so.6' | head -n 1)")
    patchelf --set-interpreter "$(readlink -f "$library"/ld-linux*.so.*)" --force-rpath \
        --set-rpath "$library" --output "$3" "$1/usr/bin/$2"
    chmod +x "$3"
}
