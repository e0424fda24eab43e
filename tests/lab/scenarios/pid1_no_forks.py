"""A fork bomb takes every process that there may be: PID 1 says so, goes on, and ends in order."""

from show import need

MORE = 200
BOMB = f"""set -- $(cat /proc/loadavg)
echo $((${{4#*/}} + {MORE})) >/proc/sys/kernel/threads-max
n=0
while :; do sleep 1000 & n=$((n + 1)); echo $n; done"""


def play(lab):
    guest, hostd = lab.serve()
    status, words = lab.control(hostd, "exec", "lab", "--", "/bin/sh", "-c", BOMB, seconds=120)
    made = [int(line) for line in words.split() if line.isdigit()][-1]
    lab.say(f"the bomb ended with {status}, after {made} processes: {words.split(chr(10))[-2]}")
    need(status != 0 and "can't fork" in words and made > MORE / 2, f"{status}: {words[-200:]}")
    lab.need_alive(hostd)
    # The end of the bomb's own shell left room for one. 20 is the least that the kernel takes.
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", "echo 20 >/proc/sys/kernel/threads-max")
    status, words = lab.run_in_guest(hostd, "lab", "/bin/true")
    lab.say(f"exec: {status}: {words.strip()}")
    need(status == 125, f"status {status} instead of 125 (could not be started by us)")
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)
    farewell = hostd.wait_event("GuestFarewell", lab.seconds(10))
    need(farewell["killed"] == 0, f"{farewell}")
