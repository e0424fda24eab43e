# Being root, which packages and virtual devices need.
# shellcheck shell=bash

# root_or_sudo COMMAND...: returns if this is root, else runs the command through sudo.
root_or_sudo() {
    [ "$(id -u)" != 0 ] || return 0
    if ! command -v sudo >>/dev/null; then
        printf '%s\n' "Packages and virtual devices need root, and there is no sudo: run this as root." >&2
        exit 1
    fi
    printf '%s\n' "Packages and virtual devices need root: going on through sudo."
    exec sudo --preserve-env=LAB_VSOCK,LAB_BUILD,LAB_JOBS,NO_COLOR "$@"
}
