"""`guestlink run -t` under tmux, as an ordinary user: size, Ctrl-C, resize, its status, SIGTERM."""

import os
import signal

from once import UID, Once
from scenarios.run_root import make_root
from show import need
from tmux import Terminal
from wait import wait_for


def play(lab):
    once = Once(lab)
    got = once.run("-t", "--", "true")
    once.need("-t without a terminal here", got, 125, "", "standard input is not a terminal")
    terminal = Terminal(lab.folder, lab.sockets, environment=once.environment(),
                        within=("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
                                "--bounding-set=-all", "env", f"--chdir={once.home}"))
    once.others.add(terminal.shell)
    try:
        usual = terminal.settings()
        shell(lab, once, terminal, usual)
        in_a_root(lab, once, terminal, usual)
        ended(lab, once, terminal, usual)
        without(lab, once, terminal)
    except Exception:
        print(f"the screen:\n{terminal.screen()}")
        raise


def begin(once, terminal, *words):
    terminal.enter("clear; " + " ".join(once.words("-t", *words)))


def need_restored(lab, once, terminal, usual, status):
    terminal.wait(r"host\$ ?$", 60)
    terminal.enter('echo "status $?."')
    terminal.wait(rf"status {status}\.$")
    now = terminal.settings()
    need(now == usual, f"the terminal's settings were\n{usual}\nand are\n{now}")
    once.need_nothing_left()


def shell(lab, once, terminal, usual):
    begin(once, terminal, "--env", "TERM=vt100", "--user", "1000", "--", "sh")
    terminal.wait(r"^/ \$$", 60)
    terminal.say("stty size; tty; echo $TERM.; stat -c %u $(tty); test -w $(tty) && echo ours")
    terminal.wait(r"^24 80\n/dev/pts/\d+\nvt100\.\n1000\nours$")
    terminal.resize(33, 99)
    terminal.say("until stty size | grep '33 99'; do sleep 0.1; done")
    terminal.wait(r"^33 99$")
    terminal.say("echo begun; sleep 1000")
    terminal.wait(r"^begun$")
    terminal.keys("C-c")
    terminal.say("echo interrupted $?.")
    terminal.wait(r"^interrupted 130\.$")
    terminal.say("exit 5")
    need_restored(lab, once, terminal, usual, 5)
    lab.say("a shell of another user's: size, TERM, its terminal is its own, Ctrl-C, its status")


def in_a_root(lab, once, terminal, usual):
    """By guestlink-enter, as a user whom the root knows."""
    begin(once, terminal, "--root", make_root(once), "--user", "u", "--directory", "/home/u", "--", "sh")
    terminal.wait(r"\$$", 60)
    terminal.say("busybox stty size; busybox tty; busybox stat -c %u $(busybox tty); echo again >$(busybox tty)")
    terminal.wait(r"^33 99\n/dev/pts/\d+\n1000\nagain$")
    terminal.say("exit 4")
    need_restored(lab, once, terminal, usual, 4)
    lab.say("in a root, as a user of its own")


def ended(lab, once, terminal, usual):
    begin(once, terminal, "--", "sh", "-c", "'trap \"\" TERM HUP; echo be\"\"gun; sleep 1000'")
    terminal.wait(r"^begun$", 60)
    os.kill(terminal.program(), signal.SIGTERM)
    need_restored(lab, once, terminal, usual, 128 + signal.SIGTERM)
    lab.say("SIGTERM ends the VM, and the terminal is as it was")


def without(lab, once, terminal):
    """-i without -t is a pipe there, and leaves the terminal here alone."""
    terminal.enter("clear; " + " ".join(once.words("-i", "--", "sh", "-c", "'tty; cat'")))
    terminal.wait(r"^not a tty$", 60)
    terminal.type("words")
    terminal.keys("Enter", "C-d")
    terminal.wait(r"^words\nwords\nhost\$", 60)
    once.need_nothing_left()
    lab.say("-i alone: no terminal there")
