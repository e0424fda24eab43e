"""A real root by virtiofs, UUID, PARTUUID and PARTLABEL: before all else that is asked for; or PID 1 stays."""

import os
import subprocess

import debian_root
import plain_host as ph
from disk import make_gpt
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
echo "real root: $(cat /marker), PID $$, words: $*" >/dev/console
agent() { # not a job of its, which has its name
    for comm in $(grep -l guestlink-agent /proc/[0-9]*/comm); do
        grep -q "^PPid:.1$" ${comm%comm}status && echo ${comm//[^0-9]/}
    done
}
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


PART_UUID = "7d2b0f1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b"
MAC = "52:54:00:12:34:56"
LINK = "../run/systemd/resolve/stub-resolv.conf"
EROFS = 30


def play(lab):
    root = make_root(lab)
    disk = debian_root.make_ext4(root, lab.sockets / "root.ext4", "lab-root", 16)
    subprocess.run(["tune2fs", "-U", UUID, disk], stdout=subprocess.DEVNULL, check=True)
    block = ["-drive", f"file={disk},format=raw,if=none,id=root,snapshot=on",
             "-device", "virtio-blk-pci,drive=root"]
    image = Image(Kernel(), ["virtio_blk", "ext4"]).add_init()
    guest = lab.guest("lab0", "old", "guestlink.root=virtiofs:root", image=image, arguments="single 5",
                      extra=[*serve(lab, root, "root"), *serve(lab, lab.share_folder("s"), "s"),
                             "-netdev", "user,id=net", "-device", f"virtio-net-pci,netdev=net,mac={MAC}",
                             "-smbios", CREDENTIAL])
    handed_over(lab, guest, "virtiofs:root", asked_before, "single 5")
    need(os.readlink(root / "etc/resolv.conf") == LINK, "the distribution's resolv.conf is another")
    guest = lab.guest("lab1", "old", f"guestlink.root=UUID={UUID}", image=image,
                      extra=[*block, "-smbios", CREDENTIAL])
    handed_over(lab, guest, f"UUID={UUID}")
    (root / "run").rmdir()
    bare = debian_root.make_ext4(root, lab.sockets / "bare.ext4", "bare", 16)
    for number, (source, part, words) in enumerate((
            (disk, "PARTLABEL=lab-täst", "guestlink.root_options=ro"),
            (bare, f"PARTUUID={PART_UUID.upper()}", "guestlink.root_options=ro"))):
        whole = make_gpt(source, lab.sockets / f"whole{number}", PART_UUID, "lab-täst")
        guest = lab.guest(part.partition("=")[0], "old", f"guestlink.root={part} {words}", image=image,
                          extra=["-drive", f"file={whole},format=raw,if=none,id=root,snapshot=on",
                                 "-device", "virtio-blk-pci,drive=root", "-smbios", CREDENTIAL],
                          arguments="/bin/sleep 1000" if source == bare else "")
        if source == bare:
            stays(lab, guest, EROFS, "no directory /run")
        else:
            handed_over(lab, guest, part, read_only)
    guest = lab.guest("none", "old", "guestlink.root=/dev/vda guestlink.root_init=/no/init",
                      image=image, extra=block, arguments="/bin/sleep 1000")
    stays(lab, guest, 2, "/no/init")


def asked_before(lab, host):
    """All of it is asked for before there is a root, and is done in the root."""
    script = "cat /marker; echo x >>/tmp/starts; [ $(cat /tmp/starts | wc -l) -eq 3 ] && exit 0; exit 7"
    asked = [host.ask(ph.START_PROCESS, ph.process(5, ("/bin/sh", "-c", script), ph.PAYLOAD,
                                                   ph.ON_FAILURE)),
             host.ask(ph.CONFIGURE_NETWORK, ph.network(MAC, addresses=("10.0.2.15/24",),
                                                       dns=("10.0.2.3",))),
             host.ask(ph.MOUNT, ph.mount("s", "/mnt/deep/s"))]

    def after():
        for number in asked:
            need(host.result(number, 60)[0] == 0, f"{host.result(number)}")
        host.wait("three starts of the payload", lambda: len(host.exits) >= 3, 60)
        ends = [(ended.status, ended.restarts) for ended in host.exits if ended.process == 5]
        need(ends == [(7, 0), (7, 1), (0, 2)], f"ends: {ends}")
        need(host.output[5] == b"the real one\n" * 3, f"{host.output[5]}")
        _, words = host.shell("cat /etc/resolv.conf; ls -l /etc/resolv.conf; cat /mnt/deep/s/from-host.txt")
        need("nameserver 10.0.2.3" in words and f"-> {LINK}" in words and "written" in words, words)
        lab.say("its payload ran three times, each end was told; share and name servers are in the root")
    return after


def read_only(lab, host):
    """A share that has no place there is told, and a resolv.conf that cannot be written harms nobody."""
    asked = host.ask(ph.MOUNT, ph.mount("s", "/none/s", 1000))

    def after():
        error, text = host.result(asked, 60)
        need(error == EROFS and "/none/s" in text, f"{error}: {text}")
        lab.say(f"told: {text}")
    return after


def make_root(lab):
    root = lab.folder / "root"
    for folder in ("bin", "sbin", "proc", "sys", "dev", "run", "tmp", "mnt", "etc"):
        (root / folder).mkdir(parents=True)
    subprocess.run(["cp", BUSYBOX, root / "bin/busybox"], check=True)
    for applet in ("sh", "cat", "sleep", "kill", "pidof", "sync", "poweroff", "echo", "grep", "ls", "dirname", "wc"):
        os.symlink("busybox", root / "bin" / applet)
    os.symlink(LINK, root / "etc/resolv.conf")
    (root / "marker").write_text("the real one\n")
    (root / "sbin/init").write_text(INIT)
    (root / "sbin/init").chmod(0o755)
    return root


def serve(lab, folder, tag):
    sock = lab.sockets / f"{tag}.sock"
    program = virtiofsd()
    way = (["-o", f"source={folder}"] if "qemu" in program else ["--shared-dir", folder])
    Process("virtiofsd", [program, f"--socket-path={sock}", *way], lab.folder / f"{tag}.log")
    wait_for("virtiofsd's socket", lab.seconds(10), sock.exists)
    return ["-chardev", f"socket,id={tag},path={sock}",
            "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]


def handed_over(lab, guest, name, before=None, arguments=""):
    host, notify = ph.PlainHost(guest, lab.seconds), calls(guest, NOTIFY)
    guest.start()
    host.serve()
    after = before(lab, host) if before else lambda: None
    error, text = host.do(ph.COMPLETE_BOOT, seconds=60)
    need(error == 0, f"{name}: {text}")
    after()
    host.wait("READY", lambda: host.ready)
    text = hear(notify, lab.seconds(20))
    need(text.startswith("READY=1\nSTATUS=Ready\n"), f"{name}: the VM manager heard {text}")
    guest.wait_console(f"^real root: the real one, PID 1, words: {arguments}$", lab.seconds(20))
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


def stays(lab, guest, expected, word):
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    error, text = host.do(ph.COMPLETE_BOOT, seconds=60)
    need(error == expected and word in text, f"{error}: {text}")
    host.wait("READY", lambda: host.ready)
    host.need_alive()
    _, words = host.shell("cat /proc/1/comm; pidof sleep")
    need(words.startswith("guestlink-init\n") and len(words.split()) == 2, f"{words}")
    lab.say(f"{text}: PID 1 stays, and its own words run")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
