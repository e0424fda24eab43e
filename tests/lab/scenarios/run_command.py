"""`guestlink run` as an ordinary user: streams, statuses, environment, user, shares, disk, network, image cache."""

import os
import subprocess
import threading

from once import UID, Once
from show import need

NEEDS = "virtiofsd"


def play(lab):
    once = Once(lab)
    share = once.share()
    two_at_once(once)
    streams(once)
    everything(once, share)
    refused(once)
    if once.use_rust():
        shares(once, share)
    else:
        lab.say("no virtiofsd in Rust is to be had here: the usual one alone was tried")


def two_at_once(once):
    """The first runs ever: one makes the image, the other waits for it, both get it."""
    got = []
    threads = [threading.Thread(target=lambda: got.append(run_quietly(once))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    images = os.listdir(once.home / ".cache/guestlink")
    need(len(images) == 1 and [one[0] for one in got] == [0, 0], f"{images}: {got}")
    need(all("Linux guestlink" in one[1] for one in got), f"{got}")
    once.need_nothing_left()
    once.lab.say(f"two at once: {images[0]}")


def run_quietly(once):
    process = once.start("--", "uname", "-a")
    out, error = process.communicate(timeout=once.lab.seconds(60))
    return process.returncode, out.decode(), error.decode()


def streams(once):
    """What goes in comes out, byte for byte; what is not passed on is empty."""
    given = os.urandom(100000)
    process = once.start("-i", "--", "sh", "-c", "cat; echo done >&2; exit 7", stdin=subprocess.PIPE)
    out, error = process.communicate(given, once.lab.seconds(60))
    need((process.returncode, out, error) == (7, given, b"done\n"),
         f"{process.returncode}, {len(out)} of {len(given)} bytes, {error}")
    got = once.run("--", "sh", "-c", "cat; kill -9 $$", given=b"not asked for")
    once.need("no -i, no input; died of a signal", got, 128 + 9, "")


def everything(once, share):
    """One guest with all options."""
    disk = once.home / "disk.img"
    disk.write_bytes(b"from the host".ljust(1 << 20, b"\0"))
    os.chown(disk, UID, UID)
    words = ("id -u; id -g; pwd; echo $A/$GIVEN/$NOWHERE; nproc; head -c 13 /dev/vda; echo; "
             "ip -4 -o addr show eth0 | grep -o 'inet [^ ]*'; cat /etc/resolv.conf")
    got = once.run("--disk", disk, "--net", "--cpus", "2", "--memory", "700M", "--env", "A=b c",
                   "--env", "GIVEN", "--env", "NOWHERE", "--share", f"{share}:/src", "--", "sh", "-c", words)
    once.need("disk, network, environment, processors", got, 0,
              "0\n0\n/\nb c/from my environment/\n2\nfrom the host\ninet 10.0.2.15/24\n"
              "nameserver 10.0.2.3\n")
    shares(once, share)
    got = once.run("--user", "1000:44", "--directory", "/tmp", "--", "sh", "-c", "id -u; id -g; pwd")
    once.need("a user and a directory", got, 0, "1000\n44\n/tmp\n")


def shares(once, share):
    """That user's files are root's in the guest, and the other way round."""
    words = ("cat /src/from-host; stat -c %u /src/from-host; echo back >/src/from-guest; "
             ": >/ro/no && echo written")
    got = once.run("--share", f"{share}:/src", "--share", "share:/ro:ro", "--", "sh", "-c", words)
    once.need(f"shares {once.virtiofsd}", got, 1, "hello from the host\n0\n", "Read-only file system")
    back = share / "from-guest"
    need(back.read_text() == "back\n" and back.stat().st_uid == UID, f"{back.stat()}")
    back.unlink()


def refused(once):
    """What cannot be done is 125 to 127, with a sentence."""
    once.need("no such command", once.run("--", "nosuch"), 127, "", "No such file")
    once.need("not executable", once.run("--", "/etc/guestlink/modules"), 126, "")
    for words, error in (
            (("-t", "--", "sh"), "terminal"),
            (("--share", "/nonexistent:/x", "--", "true"), "No such file"),
            (("--share", "share:relative", "--", "true"), "PATH:TARGET"),
            (("--root-rw", "--", "true"), "--root"),
            (("--user", "somebody", "--", "true"), "without --root"),
            (("--memory", "1", "--", "true"), "128M"),
            (("--timeout", "soon", "--", "true"), "seconds"),
            (("--publish", "80", "--", "true"), "GUESTPORT"),
            (("--kernel", "/etc/passwd", "--", "true"), "not a bzImage"),
            (("--kernel", "/etc", "--", "true"), "it has 0"),
            (("--share", "share:/proc/x", "--", "true"), "expected"),
            (("--disk", "share", "--", "true"), "a file"),
            (("--qemu", "/bin/false", "--", "true"), "the VM exited"),
            (("--virtiofsd", "nosuch", "--", "true"), "No such file"),
            (("--share", "/:/host:ro", "--", "true"), "whole root"),
            (("--nonsense",), "unrecognized option"),
            ((), "none after the options")):
        once.need(f"refused: {' '.join(words)}", once.run(*words), 125, "", error)
