"""`exec -t` under tmux: size, TERM, Ctrl-C, Ctrl-Z, vi, resize; disconnects in the middle; the local terminal is restored."""

import os
import signal

from hostd import vm_settings
from process import pids_with
from show import need
from tmux import Terminal
from wait import wait_for


def play(lab):
    guest = lab.guest("lab")
    hostd = lab.hostd([vm_settings(guest, "lab")]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    refused(lab, hostd)
    terminal = Terminal(lab.folder, lab.sockets)
    try:
        everything(lab, hostd, terminal)
    except Exception:
        print(f"the screen:\n{terminal.screen()}")
        raise
    lab.shut_down(hostd, guest)


def everything(lab, hostd, terminal):
    usual = terminal.settings()
    begin(terminal, hostd)
    sizes(lab, terminal)
    keys(lab, hostd, terminal)
    editor(lab, terminal)
    terminal.say("exit 7")
    need_restored(terminal, usual, 7)
    lab.say("its status is the command's, and the terminal is as it was")
    stopped(lab, hostd, terminal, usual)
    ended(lab, hostd, terminal, usual)
    daemon_lost(lab, hostd, terminal, usual)


def refused(lab, hostd):
    status, words = lab.control(hostd, "exec", "-t", "lab", "--", "true")
    need(status == 2 and "-t needs a terminal" in words, f"{status}: {words}")
    status, words = lab.control(hostd, "exec", "lab", "--", "tty")
    need((status, words) == (1, "not a tty\n"), f"{status}: {words}")
    lab.say("no terminal here, none there")


def begin(terminal, hostd, *more):
    """A shell in the guest, by the shell in the terminal."""
    terminal.enter("clear; " + " ".join(hostd.ctl("exec", "-t", "lab", *more, "--", "sh")))
    terminal.wait(r"^.*#$")


def need_restored(terminal, usual, status):
    terminal.wait(r"host\$ ?$")
    terminal.enter("echo \"status $?.\"")
    terminal.wait(rf"status {status}\.$")
    now = terminal.settings()
    need(now == usual, f"the terminal's settings were\n{usual}\nand are\n{now}")


def sizes(lab, terminal):
    terminal.say("stty size; tty; echo $TERM.; test -t 0 -a -t 1 -a -t 2 && echo all")
    terminal.wait(r"^24 80\n/dev/pts/\d+\nscreen\.\nall$")
    terminal.resize(31, 101)
    terminal.say("until stty size | grep '31 101'; do sleep 0.1; done")
    terminal.wait(r"^31 101$")
    lab.say("size, name, TERM; another size")


def runs(lab, hostd, name):
    return lab.run_in_guest(hostd, "lab", "pidof", name)[0] == 0


def keys(lab, hostd, terminal):
    """Signals of the keyboard are the guest's."""
    terminal.say("clear")
    terminal.say("sleep 1000")
    wait_for("sleep", lab.seconds(20), lambda: runs(lab, hostd, "sleep"))
    terminal.keys("C-c")
    terminal.wait(r"^\^C")
    terminal.say("echo interrupted $?.")
    terminal.wait(r"^interrupted 130\.$")
    need(not runs(lab, hostd, "sleep"), "sleep runs on after Ctrl-C")
    terminal.say("sleep 1001")
    wait_for("sleep", lab.seconds(20), lambda: runs(lab, hostd, "sleep"))
    terminal.keys("C-z")
    terminal.wait(r"Stopped.*sleep 1001")
    terminal.say("jobs; echo asked.")
    terminal.wait(r"^asked\.$")
    terminal.say("fg")
    terminal.wait(r"^sleep 1001$")
    terminal.keys("C-c")
    terminal.say("echo again $?.")
    terminal.wait(r"^again 130\.$")
    need(not runs(lab, hostd, "sleep"), "sleep runs on after fg and Ctrl-C")
    terminal.say("yes")
    terminal.wait(r"^y\ny\ny\ny\n")
    lab.pause(2)  # so that all that is between it and the screen is full
    terminal.keys("C-c")
    terminal.say("echo flooded $?.")
    terminal.wait(r"^flooded 130\.$")
    lab.say("Ctrl-C, Ctrl-Z, fg; Ctrl-C in the middle of a flood")


def editor(lab, terminal):
    """vi has the whole screen, and hears of a new size."""
    terminal.say("clear")
    terminal.say("vi /tmp/written")
    terminal.wait(r"^- /tmp/written")
    tildes = terminal.screen().count("~")
    terminal.type("i")
    terminal.wait(r"^I /tmp/written")
    terminal.type("first line")
    terminal.wait(r"^first line")
    terminal.keys("Enter")
    terminal.type("second: ~!@#$ü")
    terminal.wait(r"^second: ~!@#\$ü")
    terminal.keys("Escape")
    terminal.wait(r"^- /tmp/written \[Modified\] 2/2|^- /tmp/written.*2/2")
    terminal.resize(40, 90)
    # It redraws when it next reads a key.
    terminal.type("l")
    wait_for("vi to use the new lines", lab.seconds(20),
             lambda: terminal.screen().count("\n~") + 1 >= tildes + 40 - 31 - 3)
    terminal.type(":wq")
    terminal.wait(r"^:wq")
    terminal.keys("Enter")
    terminal.wait(r"#$")
    terminal.say("clear; cat /tmp/written; stty size")
    terminal.wait(r"^first line\nsecond: ~!@#\$ü\n40 90$")
    lab.say("vi: a file was written, the screen grew meanwhile")


def stopped(lab, hostd, terminal, usual):
    """SIGTSTP, from outside: the shell here has its terminal, and fg gives it back."""
    begin(terminal, hostd)
    pid = terminal.program()
    os.kill(pid, signal.SIGTSTP)
    terminal.wait(r"Stopped.*guestlinkctl")
    now = terminal.settings()
    need(now == usual, f"stopped, the terminal's settings were\n{usual}\nand are\n{now}")
    terminal.resize(25, 81)
    terminal.enter("fg")
    terminal.wait(r"exec -t lab")
    terminal.keys("C-l")  # the guest's shell has not said anything since
    terminal.say("echo in $(uname -n) $(stty size).")
    terminal.wait(r"^in \w+ 25 81\.$")
    terminal.say("exit 3")
    need_restored(terminal, usual, 3)
    lab.say("stopped from outside, and back")


# Says in a file that it was hung up on, and ends.
TRAPPED = """
trap 'echo hung up >/tmp/$0; exit' HUP
echo $0 runs
while :; do sleep 0.1; done
"""


def run_trapped(lab, hostd, terminal, name):
    status, _ = lab.run_in_guest(hostd, "lab", "sh", "-c", 'echo "$0" >/tmp/trapped', TRAPPED)
    need(status == 0, f"no script in the guest: {status}")
    begin(terminal, hostd)
    terminal.say(f"sh -c \"$(cat /tmp/trapped)\" {name}")
    terminal.wait(rf"^{name} runs$")


def need_hung_up(lab, hostd, name):
    wait_for(f"SIGHUP for {name}", lab.seconds(20),
             lambda: lab.run_in_guest(hostd, "lab", "cat", f"/tmp/{name}") == (0, "hung up\n"))
    wait_for("the end of its terminal", lab.seconds(20),
             lambda: lab.run_in_guest(hostd, "lab", "sh", "-c", "ls /dev/pts") == (0, "ptmx\n"))


def ended(lab, hostd, terminal, usual):
    """Signals end guestlinkctl with a program of the guest's shell in the foreground."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGKILL):
        name = f"by-{number.name}"
        run_trapped(lab, hostd, terminal, name)
        pid = terminal.program()
        os.kill(pid, number)
        wait_for("its end", lab.seconds(20), lambda: pid not in pids_with("exec -t"))
        if number == signal.SIGKILL:  # of which nobody can say anything better
            terminal.reset()
        else:
            need_restored(terminal, usual, 128 + number)
        need_hung_up(lab, hostd, name)
        lab.say(f"{number.name}: the program in the guest was hung up on")


def daemon_lost(lab, hostd, terminal, usual):
    run_trapped(lab, hostd, terminal, "lost")
    hostd.process.kill()
    terminal.wait("guestlinkctl: ")
    need_restored(terminal, usual, 125)
    hostd.start()
    hostd.wait_event("GuestConnected", lab.seconds(30))
    wait_for("PID 1's answer", lab.seconds(20), lambda: lab.run_in_guest(hostd, "lab", "true")[0] == 0)
    need_hung_up(lab, hostd, "lost")
    lab.say("the daemon was killed: likewise")
