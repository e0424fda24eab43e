# bash completion for guestlinkctl(1)

_guestlinkctl_vms() {
    guestlinkctl "$@" --json list 2>/dev/null | grep -o '"name" *: *"[^"]*"' | cut -d'"' -f4
}

# The shares of a VM: VM [--socket PATH].
_guestlinkctl_tags() {
    guestlinkctl "${@:2}" --json show "$1" 2>/dev/null | grep -o '"tag" *: *"[^"]*"' | cut -d'"' -f4
}

_guestlinkctl_events() {
    printf '%s\n' GuestConnected GuestKernelInfo ReadGuestCapabilities ApplyGuestCapabilities \
        SwiotlbKernelUnsupported SwiotlbPoolRejected SwiotlbPoolExhausted AddVirtioFsShare \
        RemoveVirtioFsShare AddNetAdapter RemoveNetAdapter DeviceFailed DeviceAperture MountShare \
        ConfigureNetwork StartPayload GuestReady ChildExit GuestLog ClockStepped GuestFarewell \
        GuestDisconnected ProtocolError HandshakeTimeout GuestTimeout ConfigWarning EventsDropped
}

_guestlinkctl() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
    local word i skip=0 global=()
    local -a words=()

    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if ((skip)); then
            skip=0
            continue
        fi
        case $word in
        --) return ;;
        -s | --socket)
            global=(--socket "${COMP_WORDS[i + 1]}")
            skip=1
            ;;
        --config | --transport | --grace | --file | --vm | --event | --since | --svg | --env | \
            --directory | --uid | --gid | --share | --memory | --cid | --kernel | --initrd | \
            --vms | --mode) skip=1 ;;
        -*) ;;
        *) words+=("$word") ;;
        esac
    done

    case $prev in
    -s | --socket | --config | --file | --svg | --kernel | --initrd)
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        return
        ;;
    --transport)
        mapfile -t COMPREPLY < <(compgen -W "auto virtiofs 9p" -- "$cur")
        return
        ;;
    --event)
        mapfile -t COMPREPLY < <(compgen -W "$(_guestlinkctl_events)" -- "$cur")
        return
        ;;
    --vm)
        mapfile -t COMPREPLY < <(compgen -W "$(_guestlinkctl_vms "${global[@]}")" -- "$cur")
        return
        ;;
    --since)
        mapfile -t COMPREPLY < <(compgen -W "10m 1h 1d today yesterday" -- "$cur")
        return
        ;;
    --mode)
        mapfile -t COMPREPLY < <(compgen -W "0600 0660" -- "$cur")
        return
        ;;
    --share | --vms)
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        return
        ;;
    --memory)
        mapfile -t COMPREPLY < <(compgen -W "512M 1G 2G 4G" -- "$cur")
        return
        ;;
    --grace | --env | --directory | --uid | --gid | --cid) return ;;
    esac

    local options="--socket --json --help --version"
    case ${words[0]-} in
    capabilities) options+=" --refresh" ;;
    cmdline) options+=" --config" ;;
    new) options+=" --share --network --memory --cid --kernel --initrd --config --vms --dry-run" ;;
    share) [[ ${words[1]-} == add ]] && options+=" --read-only --transport" ;;
    exec) options+=" --env --directory --uid --gid --no-input --interactive --tty --" ;;
    forward) options+=" --mode" ;;
    shutdown) options+=" --reboot --grace" ;;
    telemetry) options+=" --file --vm --event --since --follow" ;;
    timeline) options+=" --file --svg" ;;
    doctor) options+=" --config" ;;
    esac
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
        return
    fi

    case ${#words[@]}:${words[0]-} in
    0:)
        mapfile -t COMPREPLY < <(compgen -W "list show capabilities cmdline new share exec forward shutdown \
            telemetry timeline doctor metrics reload" -- "$cur")
        ;;
    1:share) mapfile -t COMPREPLY < <(compgen -W "add remove" -- "$cur") ;;
    1:show | 1:capabilities | 1:cmdline | 1:exec | 1:forward | 1:shutdown | 1:timeline | 1:doctor | 2:share)
        mapfile -t COMPREPLY < <(compgen -W "$(_guestlinkctl_vms "${global[@]}")" -- "$cur")
        ;;
    3:share)
        [[ ${words[1]} != remove ]] ||
            mapfile -t COMPREPLY < <(compgen -W "$(_guestlinkctl_tags "${words[2]}" "${global[@]}")" -- "$cur")
        ;;
    2:forward) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    4:share) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    esac
}

complete -F _guestlinkctl guestlinkctl
