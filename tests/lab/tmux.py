"""A terminal that is typed into and read by a test: a tmux server of its own with one window, in which
a shell runs."""

import re
import subprocess

from process import Process, children_of
from wait import patient, wait_for

PROMPT = "host$ "


class Terminal:
    def __init__(self, folder, sockets, rows=24, columns=80, environment=None, within=()):
        """environment: the shell's, all of it, but for TERM and PS1; within: a command it is started by."""
        self._socket = sockets / "tmux"
        self._server = Process("tmux", ["tmux", "-S", self._socket, "-f", "/dev/null", "-D"],
                               folder / "tmux.log")
        wait_for("tmux's socket", patient(10), self._socket.exists)
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        self._ask("set", "-g", "status", "off", ";", "set", "-s", "escape-time", "0", ";",
                  "set", "-g", "default-terminal", "screen", ";",
                  "new-session", "-d", "-x", columns, "-y", rows, "--", *within, "env",
                  *(["-i", "TERM=screen"] if variables else []), *variables, f"PS1={PROMPT}",
                  "bash", "--norc", "--noprofile")
        self.shell = int(self._ask("display-message", "-p", "#{pane_pid}"))
        self.wait(r"^host\$")
        self.enter("before=$(stty -g); clear")

    def _ask(self, *words):
        done = subprocess.run(["tmux", "-S", self._socket, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=patient(10), check=False)
        if done.returncode != 0:
            raise RuntimeError(f"tmux {words}: {done.stderr}{self._server.words()}")
        return done.stdout

    def type(self, text):
        self._ask("send-keys", "-l", "--", text)

    def keys(self, *names):
        """As tmux calls them: Enter, Escape, C-c."""
        self._ask("send-keys", *names)

    def enter(self, line):
        self.type(line)
        self.keys("Enter")

    def say(self, line):
        """As enter(), to a BusyBox shell: before each prompt it asks the terminal where the cursor is,
        and of what is typed before it has the answer some is lost."""
        def said():
            self.type(line)
            try:
                return self.wait(rf"[#$] {re.escape(line)}$", 0.2)
            except RuntimeError:
                self.keys("C-u")
                return None
        self.wait(r"[#$]\s*\Z")
        wait_for(f"{line} to be shown", patient(20), said)
        self.keys("Enter")

    def resize(self, rows, columns):
        self._ask("resize-window", "-x", columns, "-y", rows)

    def screen(self):
        """What it shows, without empty lines at the end."""
        return self._ask("capture-pane", "-p").rstrip()

    def wait(self, pattern, seconds=20):
        """Waits until a line of the screen matches."""
        def look():
            return re.search(pattern, self.screen(), re.MULTILINE)
        try:
            return wait_for(f"/{pattern}/ on the screen", patient(seconds), look)
        except Exception as error:
            raise RuntimeError(f"{error}; it shows:\n{self.screen()}") from error

    def program(self):
        """The pid of what the shell runs."""
        (pid,) = wait_for("the shell's program", patient(10), lambda: children_of(self.shell))
        return pid

    def reset(self):
        """Gives it the settings of its beginning."""
        self.keys("C-j")
        self.type("stty $before; clear")
        self.keys("C-j")
        self.wait(r"^host\$ ?$")

    def settings(self):
        """stty's, told by the kernel: the shell's own line editor changes them while it waits."""
        self.enter("clear; stty -a | tr -d '\\n'; echo \" .\"")
        found = self.wait(r"(speed[^.]*) \.")[1]
        return re.sub(r"\s+", "", re.sub(r"rows \d+; columns \d+;", "", found))
