#!/bin/sh
# PID 1 of the machine whose clock counts instructions (instructions.py). /plan has one line for
# each server's life: NAME GUESTS ROUNDS COMMAND... All guests shake hands once, which is their
# boot, then each hangs up and calls again, ROUNDS times. For each line it prints on the console
#
#     COUNTED NAME GUESTS ROUNDS <handshakes failed> <ns for boots> <ns for the rest> <KiB resident>
#
# Waits cost nothing here: with `sleep=off` the clock jumps over what is idle.

# ran: how long the server's only thread ran so far, ns of the scheduler's clock: instructions.
ran() {
    cut -d' ' -f1 "/proc/$server/schedstat"
}

# call ROUNDS: runs the guests until all have done that; they stay connected.
call() {
    mkfifo /run/hold
    load /run/server "$guests" "$1" </run/hold >/run/said &
    exec 3>/run/hold
    until [ -s /run/said ]; do sleep 1; done
    failed=$((failed + $(cut -d' ' -f1 /run/said)))
    sleep 5 # what is put off (the state's files) belongs to it
}

hang_up() {
    exec 3>&-
    rm -f /run/hold /run/said
    sleep 1
}

count() {
    name=$1 guests=$2 rounds=$3 failed=0
    shift 3
    mkdir -p /run/server
    "$@" >/run/server.log 2>&1 &
    server=$!
    until [ "$guests" = 0 ] || [ -e "/run/server/$((guests - 1))" ]; do
        kill -0 $server || return
        sleep 1
    done
    sleep 2
    before=$(ran)
    booted=$before
    if [ "$guests" != 0 ]; then
        call 1
        booted=$(ran)
        hang_up
        call "$rounds"
    fi
    after=$(ran)
    resident=$(sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' "/proc/$server/smaps_rollup")
    echo "COUNTED $name $guests $rounds $failed" \
        "$((booted - before)) $((after - booted)) $resident"
    hang_up
    kill $server
    wait
    rm -rf /run/server
}

/bin/busybox mkdir -p /bin /dev /proc /run
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t tmpfs run /run
while read -r line; do
    # shellcheck disable=SC2086 # words
    count $line </dev/null
    [ -s /run/server.log ] && tail -n 3 /run/server.log
done </plan
poweroff -f
