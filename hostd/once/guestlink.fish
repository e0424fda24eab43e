# fish completion for guestlink-run(1)
complete -c guestlink -f
complete -c guestlink -n __fish_use_subcommand -a run -d 'Run one command in a virtual machine'
complete -c guestlink -n __fish_use_subcommand -s h -l help -d 'Show help'
complete -c guestlink -n __fish_use_subcommand -s V -l version -d 'Show the version'
function __guestlink_run
    complete -c guestlink -n '__fish_seen_subcommand_from run' $argv
end
__guestlink_run -l kernel -rF -d 'The kernel, or an unpacked package'
__guestlink_run -l root -ra '(__fish_complete_directories)' -d 'Its root'
__guestlink_run -l root-rw -d 'Write into that root itself'
__guestlink_run -l share -ra '(__fish_complete_directories)' -d 'PATH:TARGET[:ro]'
__guestlink_run -l disk -rF -d 'A disk'
__guestlink_run -l memory -x -d 'Its memory'
__guestlink_run -l cpus -x -d 'Its processors'
__guestlink_run -l net -d 'A network'
__guestlink_run -l publish -x -d '[ADDRESS:]PORT:GUESTPORT'
__guestlink_run -l aperture -xa 'auto require off' -d 'What virtiofsd can reach'
__guestlink_run -s i -l interactive -d 'Pass standard input on'
__guestlink_run -s t -l tty -d 'Give the command a terminal'
__guestlink_run -l env -x -d 'NAME[=VALUE]'
__guestlink_run -l user -x -d 'USER[:GROUP]'
__guestlink_run -l directory -x -d 'Working directory'
__guestlink_run -l timeout -x -d 'End after that time'
__guestlink_run -l keep -d 'Keep the folder with the logs'
__guestlink_run -l verbose -d 'Show console and log'
__guestlink_run -l print-config -d 'Show hostd.json and the command line of QEMU'
__guestlink_run -l accel -xa 'auto kvm tcg' -d 'Acceleration'
__guestlink_run -l qemu -rF -d 'The program'
__guestlink_run -l virtiofsd -rF -d 'The program'
__guestlink_run -l help -d 'Show help'
functions -e __guestlink_run
