# What the scripts have in common that look at a machine with systemd from inside it (tests/lab/systemd_host.py).
#
#   A line `ok NAME` for each thing that held, `FAILED NAME: …` for one that did not; `failed` is 1 then.
# shellcheck disable=SC2034 # `failed` is what the scripts end with
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root SYSTEMD_PAGER='' SYSTEMD_COLORS=0

failed=0
began=$SECONDS

say() {
    printf '%4d s  %s\n' $((SECONDS - began)) "$*"
}

# check NAME COMMAND...: the command must succeed; its words are shown if it does not.
check() {
    local name=$1 words
    shift
    if words=$("$@" 2>&1); then
        say "ok $name"
    else
        say "FAILED $name: status $?: $*"
        printf '%s\n' "$words" | tail -n 20
        failed=1
    fi
}

# shows NAME PATTERN COMMAND...: some line of the command's words must match.
shows() {
    local name=$1 pattern=$2 words
    shift 2
    words=$("$@" 2>&1)
    if grep -Eq -- "$pattern" <<<"$words"; then
        say "ok $name"
    else
        say "FAILED $name: no line with /$pattern/ in: $*"
        printf '%s\n' "$words" | tail -n 30
        failed=1
    fi
}

# nothing NAME PATTERN COMMAND...: no line of the command's words may match.
nothing() {
    local name=$1 pattern=$2 words
    shift 2
    words=$("$@" 2>&1)
    if grep -Eq -- "$pattern" <<<"$words"; then
        say "FAILED $name: a line with /$pattern/ in: $*"
        printf '%s\n' "$words" | tail -n 30
        failed=1
    else
        say "ok $name"
    fi
}

# until_true SECONDS NAME COMMAND...: the command must succeed within that time.
until_true() {
    local limit=$1 name=$2 from=$SECONDS
    shift 2
    until "$@" >>/dev/null 2>&1; do
        if [ $((SECONDS - from)) -ge "$limit" ]; then
            say "FAILED $name: not within $limit s: $*"
            failed=1
            return 1
        fi
        sleep 0.5
    done
    say "ok $name"
}

in_guest() {
    guestlinkctl exec dev -- /bin/busybox "$@"
}

main_pid() {
    systemctl show --property=MainPID --value guestlink-hostd.service
}

# A number of a telemetry event: how often it stands in the file.
events() {
    grep -c "\"event\":\"$1\"" /var/log/guestlink/telemetry.jsonl
}

list_servers() {
    systemctl list-units --plain --no-legend 'guestlink-launch@*' | awk '{ print $1 }' | sort |
        tr '\n' ' '
}

at_least() {
    [ "$(events "$2")" -ge "$1" ]
}

is_new_main_pid() {
    local now
    now=$(main_pid)
    [ "$now" != 0 ] && [ "$now" != "$1" ] && systemctl is-active --quiet guestlink-hostd.service
}

# block FILE HEADING N: the N-th block of commands under that heading.
block() {
    awk -v heading="## $2" -v wanted="$3" '
        /^## / { inside = index($0, heading) == 1 }
        inside && /^```$/ && shown { shown = 0; next }
        inside && shown { print }
        inside && /^```sh$/ { number++; shown = number == wanted }
    ' "$1"
}

# walk N: the N-th block of README's five minutes, in a shell of its own.
walk() {
    local step
    step=$(block /lab/README.md "Five minutes" "$1")
    [ -n "$step" ] || step='echo "README has no such step"; false'
    check "README's step $1" bash -euc "$step"
}

install_packages() {
    dpkg -i /lab/debs/*.deb
}

# The configuration is for a guest that is ten times as slow as one that is emulated once.
be_patient() {
    sed -i 's|^{|&"timeouts_ms": {"mount": 300000, "network": 300000, "device": 300000},|' \
        /etc/guestlink/hostd.json
}

# An emulated machine in an emulated one: what its kernel and its processor need not do.
spare_the_guest() {
    mkdir -p /run/systemd/system/guestlink-vm@dev.service.d
    printf '[Service]\nEnvironment="CMDLINE=%s" "QEMU_ARGS=%s" ACCEL=%s CONSOLE_LOG=16K\n' \
        "$(cat /lab/cmdline)" "$(cat /lab/qemu-args)" "$(cat /lab/accel)" \
        >/run/systemd/system/guestlink-vm@dev.service.d/lab.conf
}
