"""Folders with other file systems in them, whose files have each other's inode numbers: through QEMU's virtiofsd, the Rust one and diod, writable and read-only, two files stay two files."""

import shutil

from hostd import share
from kernel import Kernel
from show import need
from spy import programs

NEEDS = "9p virtiofsd"
# In each of two new file systems the first file has the same number; with a second name, as cp -a
# wants before it takes two files for one.
MOUNTS = """set -e
cd "$1"; shift
for n in one two; do
    mkdir -p $n
    mount -t tmpfs $n $n
    echo "content of $n" >$n/file
    ln $n/file $n/name
    : >bound-$n
    mount --bind $n/file bound-$n
done
exec "$@"
"""
# What the guest must find of it: a copy with all contents, as many files as there are.
COPY = """cd /mnt/{tag} && rm -rf /tmp/copy && cp -a . /tmp/copy && cd /tmp/copy &&
cat one/file two/file one/name two/name bound-one bound-two && [ one/file -ef one/name ] &&
! [ /mnt/{tag}/one/file -ef /mnt/{tag}/two/file ]"""
CONTENTS = "".join(f"content of {n}\n" for n in ("one", "two") * 3)


def play(lab):
    for number, (name, program) in enumerate(programs().items()):
        by_9p = number == 0 and shutil.which("diod")
        kind = "full" if by_9p and not Kernel("cloud").has("9p") else "cloud"
        guest = lab.guest(f"lab{number}", "failed", kernel=kind)
        folder = lab.share_folder("many")
        shares = [share("rw", folder, "/mnt/rw"), share("ro", folder, "/mnt/ro", read_only=True)]
        if by_9p:
            shares += [share("p9", folder, "/mnt/p9", transport="9p"),
                       share("p9ro", folder, "/mnt/p9ro", transport="9p", read_only=True)]
        vm = lab.usual_vm(guest, f"lab{number}", network=[], shares=shares)
        vm["device_host"]["virtiofsd"] = str(program)
        hostd = lab.hostd([vm], within=["unshare", "-m", "--propagation", "private", "sh", "-c",
                                        MOUNTS, "sh", str(folder)]).start()
        guest.start()
        hostd.wait_event("GuestReady", lab.seconds(90), vm=f"lab{number}")
        for one in shares:
            copied(lab, hostd, f"lab{number}", one, name)
            # What the guest mounted there by itself is unmounted with it.
            status, words = lab.control(hostd, "share", "remove", f"lab{number}", one["tag"])
            need(status == 0, f"{name}, share remove {one['tag']}: {status}: {words}")
        lab.shut_down(hostd, guest, f"lab{number}")
        lab.stop_daemons()


def copied(lab, hostd, vm, one, name):
    status, words = lab.run_in_guest(hostd, vm, "sh", "-c", COPY.format(tag=one["tag"]))
    need((status, words) == (0, CONTENTS), f"{name}, {one}: {status}: {words}")
    status, words = lab.run_in_guest(hostd, vm, "touch", f"/mnt/{one['tag']}/two/new")
    need((status == 0) != one.get("read_only", False), f"{name}, {one}: {status}: {words}")
    # Another share may lie where one of them is.
    words = ("share", "add", vm, "over", str(lab.share_folder("over")), f"/mnt/{one['tag']}/two")
    status, said = lab.control(hostd, *words)
    seen = lab.run_in_guest(hostd, vm, "sh", "-c", f"cat /mnt/{one['tag']}/two/from-host.txt || "
                            "grep /mnt/ /proc/self/mountinfo")
    need((status, seen) == (0, (0, "written on the host for over\n")), f"{name}, {one}: {said}, {seen}")
    status, words = lab.control(hostd, "share", "remove", vm, "over")
    need(status == 0, f"{name}, {one}: {status}: {words}")
    lab.say(f"{name}, {one['tag']}: cp -a copies each file, and what may not be written is not")
