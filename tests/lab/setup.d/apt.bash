# What is installed, and what is fetched without being installed.
# shellcheck shell=bash disable=SC2154 # lab: set by setup

# A list of packages of the distribution's own, fresh at most once per set-up.
apt_updated=
apt_update() {
    [ -z "$apt_updated" ] || return 0
    apt_updated=yes
    step "asking the distribution for its list of packages" apt-get -q update
}

apt_is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>>/dev/null)" = installed ]
}

apt_has_candidate() {
    [ -n "$(apt-cache policy "$1" 2>>/dev/null | sed -n '/^  Candidate: [^(]/p')" ]
}

# apt_install_missing demo|run FILE: installs those of FILE's packages that are missing.
apt_install_missing() {
    local need=$1 file=$2 for_whom name reason missing=() optional=() wanted=()
    while read -r for_whom name reason; do
        case $for_whom in
        '' | '#'*) continue ;;
        run) [ "$need" = run ] || continue ;;
        esac
        [ -n "$reason" ] || fail "$file: $name has no reason"
        if ! apt_is_installed "${name%\?}"; then
            case $name in
            *\?) optional+=("${name%\?}") ;;
            *) missing+=("$name") ;;
            esac
        fi
    done <"$file"
    apt_drop_known_absent
    [ ${#missing[@]} != 0 ] || [ ${#optional[@]} != 0 ] || return 0
    apt_update
    for name in "${optional[@]}"; do
        if apt_has_candidate "$name"; then
            missing+=("$name")
        else
            printf '%s\n' "$name" >>"$lab/absent-packages"
        fi
    done
    [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

# Optional packages that this distribution was found not to have are not asked for again.
apt_drop_known_absent() {
    if [ "$file" -nt "$lab/absent-packages" ]; then
        rm -f "$lab/absent-packages"
        return 0
    fi
    for name in "${optional[@]}"; do
        grep -qxF "$name" "$lab/absent-packages" || wanted+=("$name")
    done
    optional=("${wanted[@]}")
}

apt_install() {
    step "installing $(apt_summary "$@")" apt-get -q -y --no-install-recommends install "$@"
}

apt_summary() {
    if [ $# -le 2 ]; then
        printf '%s' "$*"
    else
        printf '%s, %s and %d more' "$1" "$2" $(($# - 2))
    fi
}

# apt_unpack DIRECTORY PACKAGE...: fetches packages and unpacks them there, installing nothing.
apt_unpack() {
    local to=$1 debs
    shift
    debs=$(mktemp -d "$lab/debs.XXXXXX")
    (cd "$debs" && apt-get -q -o APT::Sandbox::User=root "${apt_private[@]}" download "$@")
    mkdir -p "$to"
    for deb in "$debs"/*.deb; do
        dpkg-deb -x "$deb" "$to"
    done
    rm -rf "$debs"
}
apt_private=()

# apt_use_suite STATE SUITE: has apt_private name another suite of the machine's own archive of
# Debian, with an apt state of its own: nothing in /etc/apt changes, and nothing is installed.
apt_use_suite() {
    local state=$1 suite=$2 uri
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    # Where nobody ever asked for the lists of packages, apt does not know whose its sources are.
    [ -n "$(apt_archives)" ] || apt_update
    uri=$(apt_archives | awk 'sub(/ Debian\|Debian$/, "") && !found { print; found = 1 }')
    [ -n "$uri" ] || return 1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    {
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
        [ ! -e "$keyring" ] || printf 'Signed-By: %s\n' "$keyring"
    } >"$state/suite.sources"
    apt_private=(
        -o APT::Sandbox::User=root
        -o Dir::Etc::sourcelist="$state/suite.sources"
        -o Dir::Etc::sourceparts=/dev/null
        -o Dir::State::lists="$state/lists"
        -o Dir::Cache="$state/cache"
    )
}

# "ADDRESS ORIGIN|LABEL" of each source of this machine whose list of packages apt has.
apt_archives() {
    # shellcheck disable=SC2016 # apt expands them
    apt-get indextargets --format '$(REPO_URI) $(ORIGIN)|$(LABEL)' 'Created-By: Packages' \
        2>>/dev/null | sed '/ |$/d'
}
