# A vsock device for guests. The host's own vhost-vsock is best; without it, vhost-device-vsock,
# which only Debian sid has; without that, a VM inside a VM needs nothing more.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

vsock_provide() {
    [ ! -e /dev/vhost-vsock ] || return 0
    [ ! -x "$lab/sid/usr/bin/vhost-device-vsock" ] || return 0
    command -v vhost-device-vsock >>/dev/null && return 0
    if vsock_sid_source >>"$lab/setup.log" 2>&1; then
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

# Derives a source for sid from the machine's own, in an apt state of its own: nothing in /etc/apt
# changes, and nothing of sid is installed.
vsock_sid_source() {
    local state=$lab/sid/apt uri
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    # Where nobody ever asked for the lists of packages, apt does not know whose its sources are.
    [ -n "$(vsock_archives)" ] || apt_update
    uri=$(vsock_archives | awk 'sub(/ Debian\|Debian$/, "") && !found { print; found = 1 }')
    [ -n "$uri" ] || return 1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    {
        printf 'Types: deb\nURIs: %s\nSuites: sid\nComponents: main\n' "$uri"
        [ ! -e "$keyring" ] || printf 'Signed-By: %s\n' "$keyring"
    } >"$state/sid.sources"
    apt_private=(
        -o APT::Sandbox::User=root
        -o Dir::Etc::sourcelist="$state/sid.sources"
        -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists="$state/lists"
        -o Dir::Cache="$state/cache"
    )
}

# "ADDRESS ORIGIN|LABEL" of each source of this machine whose list of packages apt has.
vsock_archives() {
    # shellcheck disable=SC2016 # apt expands them
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN)|$(LABEL)' 'Created-By: Packages' \
        2>>/dev/null | sed '/ |$/d'
}
