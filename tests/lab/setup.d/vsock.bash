# A vsock device for guests. The host's own vhost-vsock is best; without it, vhost-device-vsock,
# which only Debian sid has; without that, a VM inside a VM needs nothing more.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

vsock_provide() {
    [ ! -e /dev/vhost-vsock ] || return 0
    [ ! -x "$lab/sid/usr/bin/vhost-device-vsock" ] || return 0
    command -v vhost-device-vsock >>/dev/null && return 0
    if apt_use_suite "$lab/sid/apt" sid >>"$step_log" 2>&1; then
        step "fetching vhost-device-vsock from Debian sid" vsock_fetch
        apt_private=()
    fi
    if [ ! -x "$lab/sid/usr/bin/vhost-device-vsock" ]; then
        printf '  %s\n' "no vhost-device-vsock for this distribution, and no /dev/vhost-vsock here:" \
            "guests will run in a VM inside a VM, which takes a minute or two longer"
    fi
}

# It may not be there to be had: that is no error, there is another way.
vsock_fetch() {
    if apt-get -q "${apt_private[@]}" update; then
        apt_unpack "$lab/sid" vhost-device-vsock || true
    fi
    rm -rf "$lab/sid/apt"
}
