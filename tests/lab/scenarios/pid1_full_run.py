"""A full /run and a full /tmp take nothing from PID 1: it serves on."""

from hostd import share
from show import need


def play(lab):
    guest, hostd = lab.serve()
    for folder in ("/run", "/tmp"):
        status, words = lab.run_in_guest(
            hostd, "lab", "/bin/sh", "-c",
            f"mount -o remount,size=64k {folder}; dd if=/dev/zero of={folder}/fill bs=4k 2>&1; "
            f"df {folder} | tail -n 1")
        need("100%" in words, f"{folder} is not full: {status}: {words}")
    lab.say("/run and /tmp are full")
    lab.need_alive(hostd)
    status, words = lab.control(hostd, "share", "add", "lab", "d", str(lab.folder / "d"), "/mnt/d")
    need(status != 0, "a share whose folder is not there was added")
    added = share("d", lab.folder / "d", "/mnt/d")
    status, words = lab.control(hostd, "share", "add", "lab", "d", added["path"], "/mnt/d")
    need(status == 0, f"share add: {status}: {words}")
    lab.wait_counting()
    lab.shut_down(hostd, guest)
