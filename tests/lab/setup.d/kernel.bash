# A distribution's kernel for guests: unpacked under build/lab/kernel, never installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

kernel_is_ubuntu() {
    grep -q '^ID=ubuntu' /etc/os-release
}

# The package that always depends on the newest kernel of a kind: cloud (small) or full (has 9P).
kernel_meta_package() {
    if kernel_is_ubuntu; then
        case $1 in
        cloud) printf 'linux-image-virtual' ;;
        full) printf 'linux-image-generic' ;;
        esac
    else
        case $1 in
        cloud) printf 'linux-image-cloud-amd64' ;;
        full) printf 'linux-image-amd64' ;;
        esac
    fi
}

# The packages that a kernel's files are in: Ubuntu keeps the modules apart; Debian 14's image is empty
# and depends on three others of its release.
kernel_packages() {
    local image release part
    image=$(apt-cache "${apt_private[@]}" depends "$(kernel_meta_package "$1")" |
        awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ && !found { print $2; found = 1 }')
    [ -n "$image" ] || return 1
    printf '%s\n' "$image"
    release=${image#linux-image-}
    if kernel_is_ubuntu; then
        printf '%s\n' "linux-modules-$release"
        apt-cache show "linux-modules-extra-$release" >>/dev/null 2>&1 &&
            printf '%s\n' "linux-modules-extra-$release"
        return 0
    fi
    for part in binary modules base; do
        apt-cache "${apt_private[@]}" show "linux-$part-$release" >>/dev/null 2>&1 &&
            printf '%s\n' "linux-$part-$release"
    done
    return 0
}

kernel_release() {
    local modules
    modules=$(ls -d "$lab/kernel/$1/lib/modules/"*)
    printf '%s' "${modules##*/}"
}

# kernel_provide cloud|full
kernel_provide() {
    local kind=$1 packages
    local to=$lab/kernel/$kind
    [ ! -e "$to/complete" ] || return 0
    if ! packages=$(kernel_packages "$kind"); then
        apt_update
        packages=$(kernel_packages "$kind") ||
            fail "$(kernel_meta_package "$kind") names no kernel: are the apt sources complete?"
    fi
    rm -rf "$to"
    # shellcheck disable=SC2086 # one word per package
    step "fetching the guest's kernel ${packages%%$'\n'*}" kernel_unpack "$to" $packages
}

# kernel_provide_unpacking: one that unpacks compressed modules by itself, if the usual one does not,
# of Debian's backports. Makes nothing where that cannot be had; who needs it looks whether it is
# there.
kernel_provide_unpacking() {
    local to=$lab/kernel/unpacking release
    [ ! -e "$to/complete" ] || return 0
    ! grep -q '^CONFIG_MODULE_DECOMPRESS=y' "$lab"/kernel/cloud/boot/config-* || return 0
    release=$(debian_codename) || return 0
    if apt_use_suite "$lab/backports" "$release-backports" >>"$step_log" 2>&1; then
        step "fetching a kernel of Debian's $release-backports" kernel_fetch_unpacking "$to"
    fi
    rm -rf "$lab/backports"
    apt_private=()
}

kernel_fetch_unpacking() {
    local packages
    apt-get -q "${apt_private[@]}" update || return 0
    packages=$(kernel_packages cloud) || return 0
    rm -rf "$1"
    # shellcheck disable=SC2086 # one word per package
    kernel_unpack "$1" $packages || rm -rf "$1"
}

# kernel_provide_newest: sid's. Makes nothing where that cannot be had, as above.
kernel_provide_newest() {
    local to=$lab/kernel/newest
    [ ! -e "$to/complete" ] || return 0
    ! kernel_is_ubuntu || return 0
    if apt_use_suite "$lab/newest" sid >>"$step_log" 2>&1; then
        step "fetching a kernel of Debian's sid" kernel_fetch_newest "$to"
    fi
    rm -rf "$lab/newest"
    apt_private=()
}

kernel_fetch_newest() {
    local packages
    apt-get -q "${apt_private[@]}" update || return 0
    packages=$(kernel_packages cloud) || return 0
    rm -rf "$1"
    # shellcheck disable=SC2086 # one word per package
    kernel_unpack "$1" $packages || rm -rf "$1"
}

kernel_unpack() {
    apt_unpack "$@" && kernel_complete "$1"
}

kernel_complete() {
    local to=$1 release file
    # Newer releases have /usr/lib alone; everything here says /lib.
    [ -e "$to/lib" ] || ln -s usr/lib "$to/lib"
    release=$(ls "$to/lib/modules")
    mkdir -p "$to/boot"
    # From Debian 14 on, the image stands among its modules.
    for file in vmlinuz config; do
        [ -e "$to/boot/$file-$release" ] ||
            cp "$to/lib/modules/$release/$file" "$to/boot/$file-$release" || return 1
    done
    depmod -b "$to" "$release" && touch "$to/complete"
}

# kernel_build_pool KIND SOURCE: the stand-in for the kernel's publisher of the pool.
kernel_build_pool() {
    local kind=$1 source=$2 release
    local to=$lab/pool
    release=$(kernel_release "$kind")
    if [ -e "$to/$release/pool.ko" ] && [ ! "$source/pool.c" -nt "$to/$release/pool.ko" ]; then
        return 0
    fi
    apt_is_installed "linux-headers-$release" || {
        apt_update
        apt_install "linux-headers-$release"
    }
    mkdir -p "$to/$release"
    cp "$source/pool.c" "$source/Kbuild" "$to/$release/"
    step "building the stand-in module for $release" \
        make -s -C "/lib/modules/$release/build" M="$to/$release" modules
}

# kernel_build_stage SOURCE: what runs before PID 1's program, in the same process.
kernel_build_stage() {
    local source=$1
    if [ -e "$lab/stage" ] && [ ! "$source/stage.c" -nt "$lab/stage" ]; then
        return 0
    fi
    step "building the stage before PID 1" \
        gcc -std=gnu17 -O2 -static -Wall -Wextra -Werror -o "$lab/stage" "$source/stage.c"
    strip "$lab/stage"
}
