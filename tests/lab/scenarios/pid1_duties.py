"""What every program expects of PID 1, in one guest: mounts, console, log, modules, facts, READY, the VM manager."""

import pathlib
import re
import socket
import struct
import tempfile
import time
import zlib

import plain_host as ph
import vsock
from image import Image
from kernel import Kernel
from show import need

MOUNTS = {
    "/proc": "proc rw,nosuid,nodev,noexec", "/sys": "sysfs rw,nosuid,nodev,noexec",
    "/dev": "devtmpfs rw,nosuid", "/dev/pts": "devpts rw,nosuid,noexec",
    "/dev/shm": "tmpfs rw,nosuid,nodev", "/run": "tmpfs rw,nosuid,nodev",
    "/tmp": "tmpfs rw,nosuid,nodev", "/sys/fs/cgroup": "cgroup2 rw,nosuid,nodev,noexec",
}
NOTIFY, SHARE = 9999, 50100
CREDENTIAL = f"type=11,value=io.systemd.credential:vmm.notify_socket=vsock-stream:2:{NOTIFY}"


def play(lab):
    guest = lab.guest("lab", "published", "guestlink.on_host_loss=poweroff",
                      image=lacking_image(), extra=["-smbios", CREDENTIAL])
    host, notify = ph.PlainHost(guest, lab.seconds), listen(guest, NOTIFY)
    share = listen(guest, SHARE)
    guest.start()
    host.serve()
    mounts(lab, host)
    entropy(lab, host)
    facts(lab, host)
    lacking_module(lab, host)
    flood(lab, host, guest)
    ready(lab, host, notify)
    share.close()
    host.hang_up()
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    need("reboot: Power down" in guest.console(), "it did not power off")
    lab.say("the host is lost: powered off, as the command line says")


def lacking_image():
    """The usual image, whose list also names modules that are not there, or are none."""
    kernel = Kernel()
    image = Image(kernel).add_init()
    listed = re.search(rb"(?:/lib/modules/\S+\.ko.*\n|-\n)+", usual_bytes(image))
    image.archive.add_file("/lib/modules/no-module.ko.xz", b"\xfd7zXZ\0 this is no module")
    image.archive.add_file("/etc/guestlink/modules", listed[0] + b"/lib/modules/gone/overlay.ko\n"
                           b"/lib/modules/no-module.ko.xz\nnonsense\n")
    return image


def usual_bytes(image):
    with tempfile.TemporaryDirectory() as folder:
        packed = image.write(pathlib.Path(folder) / "image").read_bytes()
    return zlib.decompressobj(31).decompress(packed)  # the first of two archives, with gzip's head


def listen(guest, port):
    """Takes what the guest calls a port of the host's for."""
    if vsock.provider() == "vhost":
        sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        sock.bind((socket.VMADDR_CID_ANY, port))
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(str(guest.vsock.socket.with_name(f"vm.sock_{port}")))
    sock.listen()
    return sock


def mounts(lab, host):
    _, words = host.shell("cat /proc/mounts; ls -ld /tmp /dev/shm; cat /sys/class/net/lo/flags; "
                          "ls -l /proc/1/fd; cat /proc/1/oom_score_adj; nc -l -p 99 127.0.0.1 & "
                          "sleep 0.2; echo loop | nc -w 2 127.0.0.1 99; test -c /dev/ptmx && echo pty")
    for target, expected in MOUNTS.items():
        kind, options = expected.split()
        line = next((line for line in words.splitlines() if f" {target} {kind} " in line), "")
        need(line.split(" ")[3:4] and set(options.split(",")) <= set(line.split()[3].split(",")),
             f"{target}: {line!r}, expected {expected}")
    need(words.count("drwxrwxrwt") == 2, "no sticky bit")
    for word in ("0x9\n", "\n-1000\n", "\nloop\n", "\npty\n"):
        need(word in words, f"{word!r} is not in {words}")
    need(len(re.findall(r"[012] -> /dev/console", words)) == 3, f"no console: {words}")
    lab.say(f"{len(MOUNTS)} mounts with their flags, lo up, console, safe from the OOM killer")


def entropy(lab, host):
    data = bytes(range(256))
    request = struct.pack("<IIHH", 12, 2048, 256, 0) + data
    need(host.do(ph.ADD_ENTROPY, request) == (0, ""), "entropy")
    for bits, size in ((2049, 256), (1, 0), (0, 513)):
        error, text = host.do(ph.ADD_ENTROPY, struct.pack("<IIHH", 12, bits, size, 0) + bytes(size))
        need(error == 22, f"{bits} bits of {size} bytes: {error}: {text}")
    _, words = host.shell("cat /proc/sys/kernel/random/entropy_avail; dmesg | grep crng")
    lab.say(f"entropy was taken: {' '.join(words.split())}")
    for name, expected in (("n" * 64, 0), ("", 22), ("n" * 65, 22), ("a\nb", 22)):
        name = name.encode()
        error, _ = host.do(ph.SET_HOSTNAME, struct.pack("<IHH", 8, len(name), 0) + name)
        need(error == expected, f"hostname {name}: {error}")
    need(host.do(ph.SET_HOSTNAME, struct.pack("<IHH", 8, 4, 0) + b"duty")[0] == 0, "hostname")
    need(host.shell("hostname")[1] == "duty\n", "the hostname is another")


def facts(lab, host):
    """What CAPABILITIES says is what the guest's own files say; asked again, it says the same."""
    kind, again = host.answer(host.ask(ph.GET_CAPABILITIES))
    need(kind == ph.CAPABILITIES and again[:168] == host.capabilities[:168], "another answer")
    (size, major, minor, features, base, length, memory, page, cpus, boot) = struct.unpack_from(
        "<IHHQQQQII16s", again)
    _, words = host.shell(
        "cd /sys/bus/vmbus/drivers/hv_pci; cat swiotlb_base swiotlb_size; "
        "grep MemTotal /proc/meminfo; nproc; cat /proc/sys/kernel/random/boot_id; uname -r; "
        "cat /proc/sys/kernel/seccomp/actions_avail")
    lines = words.splitlines()
    need((size, major, minor, page) == (176, 1, 0, 4096), "the head")
    need((base, length) == (int(lines[0], 0), int(lines[1])), f"pool {base:#x}, {length}: {lines}")
    need(memory == int(lines[2].split()[1]) * 1024, f"memory {memory}: {lines[2]}")
    need(cpus == int(lines[3]) and boot.hex() == lines[4].replace("-", ""), "processors, boot id")
    need(again[64:128].rstrip(b"\0").decode() == lines[5], "the release")
    need(bool(features & 1) == ("user_notif" in lines[6]), "seccomp")
    # virtiofs is there; 9p and overlay are not: one has no module, the other's file is gone.
    need(features & 0x1e == 0x12 and features & 0x60 == 0x20, f"features {features:#x}")
    lab.say(f"the facts are so: features {features:#x}, pool {base:#x}, {length}")


def lacking_module(lab, host):
    host.settle(1)
    _, words = host.shell("dmesg | grep guestlink-init")
    for text in ("module overlay (/lib/modules/gone/overlay.ko) cannot be loaded: No such file",
                 "module no_module (/lib/modules/no-module.ko.xz) cannot be loaded",
                 "expected the absolute path of a .ko file; left out"):
        need(text in words, f"no warning {text!r}: {words}")
    error, text = host.do(ph.MOUNT, ph.mount("c", "/mnt/c", 3000, transport=1, port=SHARE))
    need(error == 19 and "this kernel has no 9p" in text and "no_module" in text,
         f"9p without its module: {error}: {text}")
    lab.say(f"modules that are not there were warned about; then: {text}")


def flood(lab, host, guest):
    """A noisy host makes PID 1 log at most a burst; what was kept back is counted."""
    before = guest.console().count("guestlink-init:")
    began = time.monotonic()
    for number in range(2000):
        host.ask(ph.MOUNT, ph.mount(f"t{number}", "/proc/x", 1))
        if number % 100 == 99:
            host.result(host._next_number)
    host.need_alive()
    host.settle(1.2)
    host.do(ph.MOUNT, ph.mount("t", "/proc/x", 1))
    lines = guest.console().count("guestlink-init:") - before
    # init/limits.h: a burst of 60, and 10 a second; the command of need_alive() is among them.
    most = 60 + 10 * (time.monotonic() - began + 2)
    need(lines <= most, f"{lines} lines instead of {most:.0f} at most")
    _, words = host.shell("dmesg | grep 'kept back' | tail -n 1")
    need("lines before this kept back" in words, f"not counted: {words}")
    lab.say(f"2000 failing requests: {lines} lines; “{words.split('] ', 1)[-1].strip()}”")


def ready(lab, host, notify):
    need(host.do(ph.COMPLETE_BOOT)[0] == 0, "COMPLETE_BOOT")
    host.wait("READY", lambda: host.ready)
    times = host.ready[0]
    order = ["started", "modules", "connected", "sent", "welcomed", "ready"]
    values = [times[name] for name in order]
    need(all(values) and values == sorted(values), f"times {times}")
    lab.say(", ".join(f"{name} {times[name] / 1e6:.1f} ms" for name in order))
    notify.settimeout(lab.seconds(10))
    peer, _ = notify.accept()
    text = peer.makefile("rb").read(4096).decode()
    need(text.startswith("READY=1\nSTATUS=") and "X_GUESTLINK_HOSTNAME=duty\n" in text, text)
    lab.say("the VM manager heard " + text.replace("\n", " ")[:60])
