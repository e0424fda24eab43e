"""A share's server hangs, hundreds of mounts, a program that SIGKILL does not reach: the guest's own disks are clean at power-off."""

import os
import signal
import subprocess

import debian_root
import plain_host as ph
from hostd import virtiofsd
from image import Image
from kernel import Kernel
from process import Process, children_of
from show import need
from wait import wait_for

DISKS = ("own", "written", "below")
MOUNTS = 530
# Newest last: each disk under some hundred mounts, ten on one target; one disk at many places.
SCRIPT = f"""set -e
mkdir -p /own /written /many /mnt/s
until [ -b /dev/vdc ] && grep -q ext4 /proc/filesystems; do sleep 0.1; done
mount -t ext4 /dev/vda /own
mount -t ext4 /dev/vdb /written
mount -t virtiofs s /mnt/s
mkdir -p /mnt/s/below
mount -t ext4 /dev/vdc /mnt/s/below
n=0
while [ $n -lt {MOUNTS} ]; do
    n=$((n + 1))
    if [ $((n % 100)) -eq 0 ]; then
        mount -t tmpfs t /many
        mkdir -p /many/below
        mount -o bind /own /many/below
    else
        mkdir -p /many/$n
        mount -t tmpfs t /many/$n
    fi
done
for disk in own written mnt/s/below; do dd if=/dev/urandom of=/$disk/big bs=64k count=32 2>/dev/null; done
wc -l </proc/self/mountinfo
"""
# It has a file of the disk open for writing, and waits for the share without end.
STUCK = """exec 3>>/written/log
cd /written
echo begun
while :; do n=$((n + 1)); echo $n >&3; read x </mnt/s/$n; done 2>/dev/null"""


def serve(lab):
    folder, sock = lab.share_folder("s"), lab.sockets / "s.sock"
    (folder / "file").write_text("x")
    program = virtiofsd()
    way = (["-o", f"source={folder}"] if "qemu" in program else ["--shared-dir", folder])
    server = Process("virtiofsd", [program, f"--socket-path={sock}", *way],
                     lab.folder / "virtiofsd.log")
    wait_for("virtiofsd's socket", lab.seconds(10), sock.exists)
    return server, ["-chardev", f"socket,id=s,path={sock}",
                    "-device", "vhost-user-fs-pci,chardev=s,tag=s"]


def play(lab):
    server, extra = serve(lab)
    disks = {}
    for name in DISKS:
        disks[name] = debian_root.make_ext4(lab.share_folder(f"disk-{name}"),
                                            lab.sockets / f"{name}.ext4", name, 16)
        extra += ["-drive", f"file={disks[name]},format=raw,if=none,id={name}",
                  "-device", f"virtio-blk-pci,drive={name}"]
    image = Image(Kernel(), ["virtio_blk", "ext4"]).add_init()
    guest = lab.guest("lab", "old", image=image, extra=extra)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    status, words = host.shell(SCRIPT, seconds=60)
    need(status == 0 and int(words) > MOUNTS, f"{status}: {words}")
    host.do(ph.START_PROCESS, ph.process(7, ("/bin/sh", "-c", STUCK)))
    host.wait("the stuck program", lambda: b"begun" in host.output.get(7, b""))
    for pid in [server.pid, *children_of(server.pid)]:
        os.kill(pid, signal.SIGSTOP)
    lab.say(f"{words.strip()} mounts; the share's server hangs")
    host.settle(1)
    need(host.do(ph.SHUT_DOWN, ph.shut_down(grace_ms=500))[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell, 40)
    guest.wait_console("power off now", lab.seconds(20))
    for pid in [server.pid, *children_of(server.pid)]:
        os.kill(pid, signal.SIGCONT)  # QEMU waits for it before it ends
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    lab.say(f"off; farewell: {host.farewell}")
    need(host.farewell[3] == 1, f"what is left is the share alone: {host.farewell}")
    for name, disk in disks.items():
        shown = subprocess.run(["dumpe2fs", "-h", disk], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, check=True).stdout
        need("needs_recovery" not in shown, f"{name}: {shown}")
        checked = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, check=False)
        need(checked.returncode == 0, f"{name}: {checked.stdout}")
    lab.say("all three disks are clean")

