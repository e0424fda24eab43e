"""What bash and zsh complete of guestlinkctl's words: in the shells themselves, at a terminal, with a
key that puts every completion into the line and one that tells what the line is."""

import fcntl
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import termios
import time

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "hostd/ctl"
ALL, SHOW = b"\x05", b"\x14"  # keys: Ctrl-E, Ctrl-T

BASH = r"""
source {scripts}/guestlinkctl.bash
show() {{ printf '%s\n' "$READLINE_LINE" >>{out}; READLINE_LINE=; READLINE_POINT=0; }}
bind '"\C-e": insert-completions'
bind -x '"\C-t": show'
"""

ZSH = r"""
fpath=({scripts} $fpath)
autoload -U compinit
compinit -u -d {folder}/compdump
all() {{ _main_complete; compstate[insert]=all; compstate[list]=; }}
zle -C all complete-word all
show() {{ print -r -- "$BUFFER" >>{out}; BUFFER=; }}
zle -N show
bindkey '^E' all
bindkey '^T' show
"""


def wait_for(what, probe):
    deadline = time.monotonic() + 60
    while not probe():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} does not come")
        time.sleep(0.02)


class Shell:
    """An interactive shell at a terminal of its own."""

    def __init__(self, name, folder, programs):
        self.name, self._out = name, folder / f"{name}.out"
        self._out.write_text("", encoding="utf-8")
        rc, argv = folder / ".zshrc", ["zsh", "-d", "-i"]
        if name == "bash":
            rc = folder / "bashrc"
            argv = ["bash", "--noprofile", "--rcfile", rc, "-i"]
        text = BASH if name == "bash" else ZSH
        rc.write_text(text.format(scripts=SCRIPTS, folder=folder, out=self._out), encoding="utf-8")
        self._terminal, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
        self._process = subprocess.Popen(
            argv, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(folder), "ZDOTDIR": str(folder),
                 "TERM": "dumb", "LC_ALL": "C"})  # fmt: skip
        os.close(terminal)
        os.set_blocking(self._terminal, False)
        wait_for(f"{name}'s line editor", self._answers)
        # Behind all that was sent too early, and is answered now or never.
        os.write(self._terminal, SHOW + b"ready" + SHOW)
        wait_for(f"{name}'s first line", lambda: self._drain() or self._read()[-1] == "ready")

    def _answers(self):
        os.write(self._terminal, SHOW)
        self._drain()
        time.sleep(0.1)
        return self._read()

    def _read(self):
        return self._out.read_text(encoding="utf-8").splitlines()

    def _drain(self):
        try:
            while os.read(self._terminal, 65536):
                pass
        except OSError:
            pass

    def complete(self, *words):
        """@return all completions of the last word"""
        before, line = len(self._read()), "guestlinkctl " + " ".join(words)
        os.write(self._terminal, line.encode() + ALL + SHOW)
        wait_for(f"{self.name}: {line}", lambda: self._drain() or len(self._read()) > before)
        told = self._read()[before]
        typed = "guestlinkctl " + " ".join([*words[:-1], ""])
        if not told.startswith(typed):
            raise AssertionError(f"{self.name}: {line}: {told}")
        found = set(told[len(typed):].split())
        return set() if found == {words[-1]} and words[-1] == "" else found

    def end(self):
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


def usages(program):
    """command -> its usage, in guestlinkctl's own words"""
    found = {}
    names = re.findall(r"^  ([a-z]+)", subprocess.run([program, "--help"], stdout=subprocess.PIPE,
                                                     text=True, check=True).stdout, re.MULTILINE)
    commands = [[name] for name in dict.fromkeys(names)]
    for words in [*commands, ["share", "add"], ["share", "remove"]]:
        for more in ([], ["x"] * 9):
            said = subprocess.run([program, "--socket", "/nonexistent", *words, *more],
                                  stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                  check=False).stderr
            usage = re.search(r"usage: guestlinkctl (.*)", said)
            if usage:
                found[" ".join(words)] = usage[1]
                break
        if not usage and words != ["exec"]:
            raise AssertionError(f"{words}: no usage: {said}")
    return found


def check_shell(shell, socket, usage, vms, folder):
    def wanted(words, expected, but=()):
        got = shell.complete("--socket", str(socket), *words)
        if got - set(but) != expected:
            raise AssertionError(f"{shell.name}: {words}: {got} instead of {expected}")

    for name in ("file-a", "file-b"):
        (folder / name).write_text("", encoding="utf-8")
    (folder / "folder").mkdir(exist_ok=True)
    table = (SCRIPTS.parent / "telemetry/telemetry_table.c").read_text(encoding="utf-8")
    events = set(re.findall(r'\{"(\w+)",\s+"[0-9a-f]{32}"', table))
    start, files = str(folder / "fi"), {str(folder / "file-a"), str(folder / "file-b")}
    wanted([""], {name.split()[0] for name in usage})
    wanted(["do"], {"doctor"})
    wanted(["share", ""], {"add", "remove"})
    common = {"--socket", "--json", "--help", "--version", "-s", "-h", "-V", "--"}
    for name, text in usage.items():
        if name == "share":
            continue
        of_vm = name != "new" and re.match(rf"{name} \[?VM", text)
        words = [*name.split(), *(["dev"] if of_vm else [])]
        wanted([*words, "--"], set(re.findall(r"--[a-z]+(?:-[a-z]+)*", text)), common)
        if of_vm:
            wanted([*name.split(), ""], vms)
        for option in re.findall(r"(--[a-z]+) FILE", text):
            wanted([*words, option, start], files)
    wanted(["share", "add", "dev", "tag", str(folder / "fo")],
           {str(folder / "folder")} if shell.name == "bash" else {str(folder / "folder") + "/"})
    wanted(["share", "remove", "dev", ""], {"c"})
    wanted(["share", "add", "dev", "--transport", ""], {"auto", "virtiofs", "9p"})
    wanted(["telemetry", "--event", ""], events)
    wanted(["telemetry", "--event", "GuestR"], {"GuestReady"})
    wanted(["telemetry", "--vm", "d"], {"dev"})
    wanted(["telemetry", "--since", "to"], {"today"})


def check(programs, socket, vms, folder):
    """@param vms  the names that a daemon at socket knows. @return the shells that were tried"""
    usage = usages(programs / "guestlinkctl")
    shells = [name for name in ("bash", "zsh") if shutil.which(name)]
    for name in shells:
        home = folder / name
        home.mkdir()
        shell = Shell(name, home, programs)
        try:
            check_shell(shell, socket, usage, vms, home)
        finally:
            shell.end()
    return shells
