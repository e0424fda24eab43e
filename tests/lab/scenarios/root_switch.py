"""A real root by virtiofs, by path, label and UUID: PID 1 hands over to it, or stays if there is none."""

import os
import subprocess

import debian_root
import plain_host as ph
from hostd import virtiofsd
from image import BUSYBOX, Image
from kernel import Kernel
from listener import calls, hear
from process import Process
from show import need
from wait import wait_for

UUID = "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01"
# The real root's init: deaf to no signal of systemd's, reaps what ends.
INIT = """#!/bin/sh
export PATH=/bin
echo "real root: $(cat /marker), PID $$" >/dev/console
agent() { grep -l guestlink-agent /proc/[0-9]*/comm | { IFS=/ read -r _ _ pid _; echo $pid; }; }
halt() {
    pid=$(agent) n=0
    kill -s TERM $pid
    while [ -d /proc/$pid ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n + 1)); done
    sync
    poweroff -f
}
trap halt 38  # SIGRTMIN+4
while :; do sleep 0.2; done
"""


NOTIFY = 9999
CREDENTIAL = f"type=11,value=io.systemd.credential:vmm.notify_socket=vsock-stream:2:{NOTIFY}"


def play(lab):
    root = make_root(lab)
    disk = debian_root.make_ext4(root, lab.sockets / "root.ext4", "lab-root", 16)
    subprocess.run(["tune2fs", "-U", UUID, disk], stdout=subprocess.DEVNULL, check=True)
    block = ["-drive", f"file={disk},format=raw,if=none,id=root,snapshot=on",
             "-device", "virtio-blk-pci,drive=root"]
    share = serve(lab, root)
    image = Image(Kernel(), ["virtio_blk", "ext4"]).add_init()
    for number, (name, devices) in enumerate((
            ("virtiofs:root", share), (f"UUID={UUID}", block))):
        guest = lab.guest(f"lab{number}", "old", f"guestlink.root={name}", image=image,
                          extra=[*devices, "-smbios", CREDENTIAL])
        handed_over(lab, guest, name)
    guest = lab.guest("none", "old", "guestlink.root=/dev/vda guestlink.root_init=/no/init",
                      image=image, extra=block, arguments="/bin/sleep 1000")
    stays(lab, guest)


def make_root(lab):
    root = lab.folder / "root"
    for folder in ("bin", "sbin", "proc", "sys", "dev", "run", "tmp", "mnt"):
        (root / folder).mkdir(parents=True)
    subprocess.run(["cp", BUSYBOX, root / "bin/busybox"], check=True)
    for applet in ("sh", "cat", "sleep", "kill", "pidof", "sync", "poweroff", "echo", "grep", "ls", "dirname"):
        os.symlink("busybox", root / "bin" / applet)
    (root / "marker").write_text("the real one\n")
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)
    return root


def serve(lab, root):
    sock = lab.sockets / "root.sock"
    program = virtiofsd()
    way = (["-o", f"source={root}"] if "qemu" in program else ["--shared-dir", root])
    Process("virtiofsd", [program, f"--socket-path={sock}", *way], lab.folder / "virtiofsd.log")
    wait_for("virtiofsd's socket", lab.seconds(10), sock.exists)
    return ["-chardev", f"socket,id=root,path={sock}",
            "-device", "vhost-user-fs-pci,chardev=root,tag=root"]


def handed_over(lab, guest, name):
    host, notify = ph.PlainHost(guest, lab.seconds), calls(guest, NOTIFY)
    guest.start()
    host.serve()
    error, text = host.do(ph.COMPLETE_BOOT, seconds=60)
    need(error == 0, f"{name}: {text}")
    host.wait("READY", lambda: host.ready)
    text = hear(notify, lab.seconds(20))
    need(text.startswith("READY=1\nSTATUS=Ready\n"), f"{name}: the VM manager heard {text}")
    guest.wait_console("^real root: the real one, PID 1$", lab.seconds(20))
    host.need_alive()
    _, words = host.shell("cat /marker /proc/1/comm; ls /; grep -e ' / ' -e ' /proc ' /proc/mounts; "
                          "grep PPid $(dirname $(grep -l guestlink-agent /proc/[0-9]*/comm))/status")
    need(words.startswith("the real one\ninit\n") and "PPid:\t1" in words, f"{name}: {words}")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()
    notify.close()
    lab.say(f"{name}: handed over, served on, told the VM manager by SMBIOS' address, told its "
            "init to power off, said farewell")


def stays(lab, guest):
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    error, text = host.do(ph.COMPLETE_BOOT, seconds=60)
    need(error == 2 and "/no/init" in text, f"{error}: {text}")
    host.wait("READY", lambda: host.ready)
    host.need_alive()
    _, words = host.shell("cat /proc/1/comm; pidof sleep")
    need(words.startswith("guestlink-init\n") and len(words.split()) == 2, f"{words}")
    lab.say(f"{text}: PID 1 stays, and its own words run")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
