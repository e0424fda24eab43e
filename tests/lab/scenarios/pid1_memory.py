"""A command that eats all memory is killed, PID 1 is not."""

from show import need


def play(lab):
    guest, hostd = lab.serve()
    status, words = lab.control(hostd, "exec", "lab", "--", "/bin/tail", "/dev/zero", seconds=120)
    lab.say(f"the glutton ended with {status}: {words.strip()[:200]}")
    need(status == 137, f"status {status} instead of 137 (SIGKILL)")
    need("Out of memory" in guest.console() or "oom-kill" in guest.console(),
         "it was not the kernel's doing")
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)
