"""guestlink-run(1)'s examples as they stand; --print-config's hostd.json; sid's kernel, by file and by folder."""

import os
import re
import select
import shlex
import shutil
import subprocess

import paths
from image import BUSYBOX
from once import UID, Once
from show import need

NEEDS = "newest"
PAGE = paths.ROOT / "hostd/once/guestlink-run.1"
# What each has to print, in their order.
SAYS = ("Linux guestlink ", "from-host", "HELLO", "# ", "inet 10.0.2.15/24", "", "PRETTY_NAME=", "")


def at_terminal(lab, command, **options):
    """What the command writes to its terminal, where `exit` is typed at its prompt; and its exit status."""
    master, slave = os.openpty()
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, **options) as child:
        os.close(slave)
        text = b""
        try:
            while b"# " not in text:
                need(select.select([master], [], [], lab.seconds(60))[0], f"no prompt: {text}")
                text += os.read(master, 4096)
            os.write(master, b"exit\r")
            status = child.wait(lab.seconds(60))
        finally:
            child.kill()
            os.close(master)
    return subprocess.CompletedProcess(command, status, text.decode(errors="replace"))


def make_root(root):
    """As little of one as the example needs."""
    (root / "bin").mkdir(parents=True)
    (root / "etc").mkdir()
    shutil.copy(BUSYBOX, root / "bin/cat")
    (root / "etc/os-release").write_text("PRETTY_NAME=Some\n")


def play(lab):
    if not (paths.LAB / "kernel/newest/complete").exists():
        lab.skip("apt here has no such kernel (tests/lab/setup run newest)")
    once = Once(lab, "newest")
    share = once.share()
    make_root(share / "debian-root")
    subprocess.run(["chown", "-R", f"{UID}:{UID}", share], check=True)
    # The machine that tests run on has neither a kernel in /boot nor KVM.
    (once.folder / "guestlink").write_text(
        f'#!/bin/sh\nshift\nexec {shlex.join(once.words())} "$@"\n')
    (once.folder / "guestlink").chmod(0o755)
    page = PAGE.read_text(encoding="utf-8")
    examples = re.search(r"^\.SH EXAMPLES\n\.EX\n(.*?)^\.EE", page, re.MULTILINE | re.DOTALL)[1]
    lines = examples.replace("\\-", "-").splitlines()
    need(len(lines) == len(SAYS), f"{len(lines)} examples")
    for line, says in zip(lines, SAYS):
        options = {"user": UID, "group": UID, "extra_groups": [UID], "cwd": share,
                   "env": once.environment() | {"PATH": f"{once.folder}:/usr/bin:/bin"}}
        if " -t " in line:
            ended = at_terminal(lab, ["sh", "-c", line], **options)
        else:
            ended = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   text=True, timeout=lab.seconds(60), check=False, **options)
        need(ended.returncode == 0 and says in ended.stdout, f"{line}: {ended}")
        once.need_nothing_left()
        lab.say(line)
    need((share / "processors").read_text() == "2\n", "two processors")

    checked = subprocess.run([paths.program("guestlink-hostd"), "--config", share / "hostd.json",
                              "--check-config"], stdout=subprocess.PIPE, text=True, check=False)
    need(checked.returncode == 0 and "1 VM, no error" in checked.stdout, f"{checked}")
    # As later packages have it, without modules.dep, which is made where they are installed.
    (release,) = (once.kernel / "lib/modules").iterdir()
    modules = once.kernel / "usr/lib/modules" / release.name
    modules.parent.mkdir(parents=True)
    release.rename(modules)
    (once.kernel / f"boot/vmlinuz-{release.name}").rename(modules / "vmlinuz")
    (modules / "modules.dep").unlink()
    once.need("a folder of sid's", once.run("--share", "share:/src", "--", "uname", "-r"), 0,
              f"{release.name}\n")
    once.kernel = modules / "vmlinuz"
    once.need("a file", once.run("--", "uname", "-r"), 0, f"{release.name}\n")
