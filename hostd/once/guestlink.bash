# bash completion for guestlink-run(1)

_guestlink() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i
    local values=" --kernel --root --disk --memory --cpus --share --publish --aperture --env --user \
--directory --timeout --accel --qemu --virtiofsd "

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "run --help --version" -- "$cur")
        return
    fi
    # What is behind the command's name is the command's.
    for ((i = 2; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) return ;;
        -*) [[ $values != *" ${COMP_WORDS[i]} "* ]] || ((i++)) ;;
        *) return ;;
        esac
    done
    case $prev in
    --kernel | --disk | --qemu | --virtiofsd) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    --root | --share) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    --aperture) mapfile -t COMPREPLY < <(compgen -W "auto require off" -- "$cur") ;;
    --accel) mapfile -t COMPREPLY < <(compgen -W "auto kvm tcg" -- "$cur") ;;
    --env) mapfile -t COMPREPLY < <(compgen -v -- "$cur") ;;
    --memory | --cpus | --publish | --user | --directory | --timeout) ;;
    *)
        mapfile -t COMPREPLY < <(compgen -W "$values --root-rw --net --interactive --tty --keep --verbose \
            --print-config --help --" -- "$cur")
        ;;
    esac
}

complete -F _guestlink guestlink
