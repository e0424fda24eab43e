"""When no process can be made any more, PID 1 says so, goes on, and still powers off in order."""

from show import need


def play(lab):
    guest, hostd = lab.serve()
    # 20 is the least that the kernel takes; more threads than that run in any guest.
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c",
                                     "echo 20 >/proc/sys/kernel/threads-max")
    need(status == 0, f"threads-max: {status}: {words}")
    status, words = lab.run_in_guest(hostd, "lab", "/bin/true")
    lab.say(f"exec: {status}: {words.strip()}")
    need(status == 125, f"status {status} instead of 125 (could not be started by us)")
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)
