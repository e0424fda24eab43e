"""Shares in one guest: on demand, side by side, busy, absent, refused, and found by a PCI rescan."""

import time

import plain_host as ph
from hostd import virtiofsd
from process import Process
from show import need
from wait import wait_for

# Neither ACPI nor PCIe tells this guest of a device that comes: only a rescan finds it.
NO_NOTIFICATION = "acpiphp.disable=1 pcie_ports=compat"
# Who is root can make any number of uevents, and of lines in the kernel's log.
NOISE = """cd /sys/bus/virtio/devices/virtio0
while :; do echo add >uevent; echo noise >/dev/kmsg; done"""
ENOENT, EBUSY, ENOTDIR, EINVAL, EROFS, ETIMEDOUT = 2, 16, 20, 22, 30, 110
REFUSED = ("mnt/c", "/", "/mnt/../etc", "/mnt/./c", "/mnt//c", "/mnt/c/", "/proc", "/proc/1/fd",
           "/sys/fs", "/dev", "/dev/shm/x", "", "/mnt/" + "x" * 300)


def play(lab):
    guest = lab.guest("lab", "old", NO_NOTIFICATION)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    lab.say("welcomed")
    refused(lab, host)
    rescan(lab, guest, host)
    busy(lab, host)
    nested(lab, guest, host)
    absent(lab, host)
    read_only_root(lab, host)
    # All is done; a reboot is what ends QEMU here.
    need(host.do(ph.SHUT_DOWN, ph.shut_down(ph.REBOOT))[0] == 0, "the reboot was refused")
    host.wait("FAREWELL", lambda: host.farewell)
    need(host.farewell[:2] == (ph.REBOOT, 0), f"farewell {host.farewell}")
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    need("reboot: Restarting system" in guest.console(), "the kernel did not restart")
    lab.say("rebooted as asked")


def refused(lab, host):
    for target in REFUSED:
        error, text = host.do(ph.MOUNT, ph.mount("one", target, 500))
        need(error in (EINVAL, 36), f"target {target[:40]!r}: error {error}: {text}")
    error, text = host.do(ph.MOUNT, ph.mount("x" * 37, "/mnt/c", 500))
    need(error == EINVAL, f"a tag of 37 bytes: {error}: {text}")
    error, text = host.do(ph.MOUNT, ph.mount("one", "/mnt/c", 500, flags=0x80))
    need(error == EINVAL, f"an unknown flag: {error}: {text}")
    status, words = host.shell("ln -s /etc /mnt/link; ls /mnt")
    error, text = host.do(ph.MOUNT, ph.mount("one", "/mnt/link/c", 500))
    need(error == 20, f"over a symbolic link: {error}: {text} ({status}, {words})")
    lab.say(f"{len(REFUSED) + 3} bad targets, tags and flags refused; last: {text}")


def plug(lab, guest, tag, port):
    """Hot-plugs a share's device, as hostd would."""
    folder = lab.share_folder(tag)
    sock = lab.sockets / f"{tag}.sock"
    program = virtiofsd()
    way = (["-o", f"source={folder}"] if "qemu" in program else ["--shared-dir", folder])
    Process("virtiofsd", [program, f"--socket-path={sock}", *way], lab.folder / f"{tag}.log")
    wait_for("virtiofsd's socket", lab.seconds(10), sock.exists)
    guest.ask_qemu("chardev-add", id=f"c-{tag}", backend={"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": str(sock)}}, "server": False}})
    guest.ask_qemu("device_add", driver="vhost-user-fs-pci", id=f"d-{tag}", chardev=f"c-{tag}",
                   tag=tag, bus=f"rp{port}")


def rescan(lab, guest, host):
    """Two mounts wait for devices that nobody announces; meanwhile everything else goes on."""
    plug(lab, guest, "one", 1)
    plug(lab, guest, "two", 2)
    lab.say("both devices are plugged in")
    began = time.monotonic()
    first = host.ask(ph.MOUNT, ph.mount("one", "/mnt/a/deep/one", 10000))
    second = host.ask(ph.MOUNT, ph.mount("two", "/mnt/two", 10000, flags=1))
    name = host.ask(ph.SET_HOSTNAME, b"\x08\0\0\0\4\0\0\0side")
    command = host.ask(ph.START_PROCESS, ph.process(6, ["/bin/true"]))
    for number in (name, command, first, second):
        error, text = host.result(number)
        need(error == 0, f"request {number}: {error}: {text}")
    took = time.monotonic() - began
    need(set(list(host.answers)[-2:]) == {first, second}, f"answered as {list(host.answers)}")
    lab.say(f"a name and a command were served, then both mounts, after {took:.1f} s of 10")
    need(took > 4.9, "that was before the rescan, which comes half-way")
    host.wait_exit(6)
    status, words = host.shell("cat /mnt/a/deep/one/from-host.txt; grep virtiofs /proc/mounts; "
                               "touch /mnt/two/x")
    lab.say(words.strip())
    need("written on the host for one" in words, f"{status}: {words}")
    need("two /mnt/two virtiofs ro,nosuid,nodev" in words, "two is not read-only")
    need("one /mnt/a/deep/one virtiofs rw,nosuid,nodev" in words, "one is not mounted")


def busy(lab, host):
    need(host.do(ph.MOUNT, ph.mount("one", "/mnt/a/deep/one"))[0] == 0, "the same mount again")
    error, text = host.do(ph.MOUNT, ph.mount("two", "/mnt/a/deep/one"))
    need(error == EBUSY, f"another tag on it: {error}: {text}")
    user = host.ask(ph.START_PROCESS, ph.process(7, ["/bin/sleep", "1000"],
                                                 directory="/mnt/a/deep/one"))
    need(host.result(user)[0] == 0, "the user was not started")
    error, text = host.do(ph.UNMOUNT, ph.unmount("/mnt/a/deep/one"))
    need(error == EBUSY, f"busy: {error}: {text}")
    lab.say(f"EBUSY: {text}")
    need(host.do(ph.SEND_SIGNAL, b"\x0c\0\0\0\7\0\0\0\x0f\0\0\0")[0] == 0, "SIGTERM")
    need(host.wait_exit(7).signal == 15, "it did not die of SIGTERM")
    need(host.do(ph.UNMOUNT, ph.unmount("/mnt/a/deep/one"))[0] == 0, "unmount")
    error, text = host.do(ph.UNMOUNT, ph.unmount("/mnt/a/deep/one"))
    need(error == EINVAL, f"twice: {error}: {text}")
    error, text = host.do(ph.UNMOUNT, ph.unmount("/proc"))
    need(error == EINVAL, f"/proc: {error}: {text}")
    need(host.do(ph.MOUNT, ph.mount("one", "/mnt/again"))[0] == 0, "mounted again elsewhere")
    links(lab, host)
    need(host.do(ph.UNMOUNT, ph.unmount("/mnt/two", detach=True))[0] == 0, "detach")
    error, text = host.do(ph.UNMOUNT, ph.unmount("/tmp", detach=True))
    need(error == EINVAL and "not a share" in text, f"/tmp, detached: {error} {text!r}")
    lab.say("unmounted once free, mounted again elsewhere, detached")


def links(lab, host):
    """No link that somebody in the guest may have planted leads PID 1 to another mount."""
    host.shell("mkdir /tmp/own; ln -s /mnt /tmp/own/way; ln -s / /tmp/own/out; "
               "ln -s /mnt/again /tmp/own/last; ln -s ../proc /mnt/kernel")
    for target, expected in (("/tmp/own/way/again", ENOTDIR), ("/tmp/own/out/mnt/again", ENOTDIR),
                             ("/tmp/own/out/tmp", ENOTDIR), ("/tmp/own/out/proc", ENOTDIR),
                             ("/mnt/kernel/sys", ENOTDIR), ("/tmp/own/last", EINVAL),
                             ("/mnt/kernel", EINVAL), ("/mnt/none/again", ENOENT)):
        for detach in (False, True):
            error, text = host.do(ph.UNMOUNT, ph.unmount(target, detach=detach))
            need(error == expected, f"UNMOUNT {target}, detach {detach}: {error}: {text}")
    status, words = host.shell("grep -c -e ' /mnt/again virtiofs ' -e ' /mnt/two virtiofs ' "
                               "-e ' /tmp tmpfs ' -e ' /proc proc ' /proc/mounts")
    need(status == 0 and words.strip() == "4", f"what was unmounted by a link? {words}")
    lab.say("no link was followed")


def nested(lab, guest, host):
    """A share that waits for its device is mounted in the one that came around it meanwhile; none is
    mounted over another."""
    inner = host.ask(ph.MOUNT, ph.mount("three", "/mnt/n/three", 6000))
    wait_for("the inner target", lab.seconds(5),
             lambda: host.shell("test -d /mnt/n/three")[0] == 0)
    need(host.do(ph.MOUNT, ph.mount("two", "/mnt/n"))[0] == 0, "the outer one")
    plug(lab, guest, "three", 3)
    need(host.result(inner)[0] == 0, "the inner one")
    status, words = host.shell("cat /mnt/n/from-host.txt /mnt/n/three/from-host.txt")
    need(words == "written on the host for two\nwritten on the host for three\n", f"{words!r}")
    error, text = host.do(ph.MOUNT, ph.mount("one", "/mnt"))
    need(error == EBUSY and "would hide virtiofs" in text, f"over those: {error}: {text}")
    for target in ("/mnt/n/three", "/mnt/n"):
        need(host.do(ph.UNMOUNT, ph.unmount(target))[0] == 0, f"unmount {target}")
    lab.say(f"an inner share that waited is in the outer one; {text}")


def absent(lab, host):
    """More requests at once than PID 1 has room for: the rest is told so, each gets its time, also
    while somebody makes uevents and log lines without end."""
    # Alone, and with time for the rescan half-way: one that hangs in the kernel is not asked why.
    error, text = host.do(ph.MOUNT, ph.mount("none", "/mnt/none", 2000))
    need(error == ETIMEDOUT and "'none'" in text and "2000 ms" in text
         and "its kernel: virtio" in text and "tag <none> not found" in text, f"{error}: {text}")
    noise = host.ask(ph.START_PROCESS, ph.process(8, ["/bin/sh", "-c", NOISE]))
    need(host.result(noise)[0] == 0, "the noise was not started")
    began = time.monotonic()
    asked = [host.ask(ph.MOUNT, ph.mount(f"no{n}", f"/mnt/no{n}", 4000)) for n in range(40)]
    need(host.do(ph.PING)[0] == 0, "ping")
    pinged = time.monotonic() - began
    errors = [host.result(number)[0] for number in asked]
    took = time.monotonic() - began
    need(errors.count(ETIMEDOUT) + errors.count(11) == 40 and errors.count(11) >= 8, f"{errors}")
    lab.say(f"40 mounts of absent devices: {errors.count(ETIMEDOUT)} ETIMEDOUT after {took:.1f} s, "
            f"{errors.count(11)} EAGAIN; a ping between them took {pinged:.2f} s")
    need(3.9 < took < lab.seconds(6), "not in the time that was given")
    host.do(ph.SEND_SIGNAL, b"\x0c\0\0\0\x08\0\0\0\x09\0\0\0")
    host.wait_exit(8)
    host.need_alive()


def read_only_root(lab, host):
    status, words = host.shell("mount -o remount,ro / && touch /x")
    need(status != 0 and "Read-only" in words, f"/ is not read-only: {status}: {words}")
    error, text = host.do(ph.MOUNT, ph.mount("two", "/elsewhere"))
    need(error == EROFS, f"{error}: {text}")
    need(host.do(ph.MOUNT, ph.mount("two", "/mnt/two"))[0] == 0, "on a folder that is there")
    host.need_alive()
    lab.say(f"on a read-only root: {text}; PID 1 answers")
