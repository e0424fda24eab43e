"""`guestlink run` leaves nothing behind: killed, its supervisor too, a panic, a deadline, signals."""

import os
import signal
import time

from once import Once
from show import need
from wait import wait_for



def play(lab):
    once = Once(lab)
    once.share()
    killed_early(lab, once)
    killed(lab, once)
    supervisor_killed(lab, once)
    signals(lab, once)
    got = once.run("--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 1000")
    once.need("a panic", got, 125, "", "Kernel panic - not syncing: sysrq triggered crash")
    need("the last lines of its console" in got[2], got[2])
    process = once.start("--timeout", "0.2", "--", "sleep", "1000")
    need(process.wait(lab.seconds(60)) == 124, f"--timeout: {process.returncode}")
    once.need_nothing_left()
    # Long enough that a guest of most machines runs the command by then; it ends in any case.
    began = time.monotonic()
    got = once.run("--timeout", "10s", "--", "sh", "-c", "echo begun; trap '' TERM; sleep 1000")
    need(time.monotonic() - began >= 10, "ended before its time")
    once.need("a deadline, and a command that is deaf to SIGTERM", got, 124, error="--timeout")
    kept(lab, once)


def killed_early(lab, once):
    """SIGKILL while the first image is being made: no process, folder or half an image is left."""
    process = once.start("--", "true")
    wait_for("guestlink-mkinitramfs", lab.seconds(20),
             lambda: [one for one in once.left() if "mkinitramfs" in one])
    process.kill()
    process.wait()
    once.need_nothing_left()
    images = os.listdir(once.home / ".cache/guestlink")
    need(not images, f"left in the cache: {images}")
    lab.say("killed while it made the image: nothing is left")


def started(lab, once, *words):
    """A run whose command runs, as its file in the share says."""
    said = once.home / "share/begun"
    said.unlink(missing_ok=True)
    process = once.start("--share", "share:/src", *words, "--", "sh", "-c",
                         "echo >/src/begun; exec sleep 1000")
    wait_for("the command", lab.seconds(60), said.exists)
    return process


def killed(lab, once):
    """SIGKILL for `guestlink run` itself, with QEMU, daemon, relay and virtiofsd at work."""
    process = started(lab, once)
    need(len(once.left()) > 5, f"only {once.left()}")
    process.kill()
    process.wait()
    once.need_nothing_left()
    lab.say("killed: nothing is left")


def supervisor_killed(lab, once):
    """SIGKILL for both, the one that cleans up first: the kernel ends the rest, the next run removes
    the folder."""
    process = started(lab, once)
    os.kill(once.supervisor(process), signal.SIGKILL)
    need(process.wait(lab.seconds(20)) == 125, f"without a supervisor: {process.returncode}")
    wait_for("the end of all processes", lab.seconds(20),
             lambda: not [one for one in once.left() if one[0] != "/"])
    need(len(once.left()) == 1, f"{once.left()}")
    once.need("the next run removes what is left", once.run("--", "true"), 0, "")


def signals(lab, once):
    """They are the command's; before there is one, they end the run."""
    process = once.start("--", "sh", "-c", "trap 'echo got it; exit 9' TERM; echo begun; "
                                           "while :; do sleep 0.1; done")
    need(process.stdout.readline() == b"begun\n", "the command did not begin")
    process.send_signal(signal.SIGTERM)
    need((process.wait(lab.seconds(20)), process.stdout.read()) == (9, b"got it\n"),
         f"SIGTERM: {process.returncode}")
    once.need_nothing_left()
    process = once.start("--", "true")
    once.supervisor(process)
    process.send_signal(signal.SIGINT)
    need(process.wait(lab.seconds(20)) == 128 + 2, f"SIGINT at the start: {process.returncode}")
    once.need_nothing_left()
    lab.say("signals: the command's own, and ours before there is one")


def kept(lab, once):
    """--keep: the folder stays, a later run leaves it alone."""
    process = once.start("--keep", "--verbose", "--", "echo", "words")
    out, error = process.communicate(timeout=lab.seconds(60))
    need(process.returncode == 0 and out == b"words\n", f"{process.returncode}: {out} {error}")
    need(b"Linux version" in error and b"guestlink-hostd: " in error, f"--verbose shows {error}")
    (folder,) = once.runtime.iterdir()
    names = {path.name for path in folder.iterdir()}
    need({"hostd.json", "console.log", "host.log", "telemetry.jsonl"} <= names, f"{names}")
    need(f'kept "{folder}"'.encode() in error, error)
    process = once.start("--", "true")
    need(process.wait(lab.seconds(60)) == 0 and folder.exists(), "a kept folder was removed")
    lab.say("kept, and left alone")
