"""`guestlink run --root`: a root of the user's, unchanged below a tmpfs or written; names of its users."""

import os
import shutil
import subprocess

from image import BUSYBOX
from once import UID, Once
from show import need

APPLETS = ("sh", "id", "cat", "echo", "ls", "pwd", "grep", "mkdir")


def play(lab):
    once = Once(lab)
    root, share = make_root(once), once.share()
    before = listing(root)
    words = ("id; pwd; echo $HOME $USER; cat /src/deep/from-host; cat /etc/resolv.conf; "
             "echo x >mine && cat mine; grep -o '^overlay / ' /proc/mounts; "
             "ls /nonexistent")
    got = once.run("--root", root, "--share", f"{share}:/src/deep", "--net", "--user", "u",
                   "--directory", "/home/u", "--", "sh", "-c", words)
    once.need("by name, with its groups, over a tmpfs", got, 1,
              "uid=1000(u) gid=1000(u) groups=44(extra),1000(u)\n/home/u\n/home/u u\n"
              "hello from the host\nnameserver 10.0.2.3\nx\noverlay / \n", "/nonexistent")
    need(listing(root) == before, f"the root changed: {listing(root) ^ before}")

    got = once.run("--root", root, "--root-rw", "--share", f"{share}:/src/deep", "--", "/bin/sh", "-c",
                   "echo kept >/kept; echo back >/src/deep/back; exit 3")
    once.need("--root-rw", got, 3, "")
    need((root / "kept").read_text() == "kept\n", "--root-rw did not write")
    need((share / "back").read_text() == "back\n", "the share was not written")
    once.need("no such user", once.run("--root", root, "--user", "nobody-here", "--", "sh"), 125, "",
              'cannot become the user "nobody-here"')
    once.need("no such directory", once.run("--root", root, "--directory", "/no", "--", "sh"), 125, "",
              'cannot enter the directory "/no"')
    os.chown(root / "etc", 0, 0)
    once.need("a root of others", once.run("--root", root, "--", "sh"), 125, "", "belongs to user 0")
    os.chown(root / "etc", UID, UID)
    once.need("no such command", once.run("--root", root, "--", "nosuch"), 127, "")
    once.need("not executable", once.run("--root", root, "--", "/etc/passwd"), 126, "")


def make_root(once):
    root = once.home / "root"
    for folder in ("bin", "etc", "home/u"):
        (root / folder).mkdir(parents=True)
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for applet in APPLETS:
        os.symlink("busybox", root / "bin" / applet)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\nu:x:1000:\nextra:x:44:u\n")
    # As distributions have it: a link to what is not there in a guest.
    os.symlink("../run/resolver/resolv.conf", root / "etc/resolv.conf")
    subprocess.run(["chown", "-hR", f"{UID}:{UID}", root], check=True)
    (root / "home/u").chmod(0o777) # the guest's users are not the host's
    return root


def listing(root):
    return {(str(path), path.lstat().st_mtime_ns) for path in root.rglob("*")}
