"""What every program expects of PID 1: mounts, console, entropy, log, modules, facts, READY."""

import pathlib
import re
import struct
import tempfile
import time
import zlib

import plain_host as ph
from guest import acceleration
from image import Image
from kernel import Kernel
from listener import calls, hear
from show import need
from wait import wait_for

MOUNTS = {
    "/proc": "proc rw,nosuid,nodev,noexec", "/sys": "sysfs rw,nosuid,nodev,noexec",
    "/dev": "devtmpfs rw,nosuid", "/dev/pts": "devpts rw,nosuid,noexec",
    "/dev/shm": "tmpfs rw,nosuid,nodev", "/run": "tmpfs rw,nosuid,nodev",
    "/tmp": "tmpfs rw,nosuid,nodev", "/sys/fs/cgroup": "cgroup2 rw,nosuid,nodev,noexec",
}
NOTIFY, SHARE = 9999, 50100
CREDENTIAL = "name=opt/io.systemd.credentials/vmm.notify_socket,string=vsock-stream:2:"
# A kernel with no source of entropy but what it is told.
NO_ENTROPY = "random.trust_cpu=off random.trust_bootloader=off"


def play(lab):
    guest = lab.guest("lab", "published", f"guestlink.on_host_loss=poweroff {NO_ENTROPY}",
                      image=lacking_image(),
                      extra=["-cpu", f"{acceleration()[-1]},-rdrand,-rdseed",
                             "-fw_cfg", f"{CREDENTIAL}{NOTIFY}"])
    host, notify = ph.PlainHost(guest, lab.seconds), calls(guest, NOTIFY)
    share = calls(guest, SHARE)
    guest.start()
    host.serve()
    console(lab, host, guest)
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
    text = hear(notify, lab.seconds(10))
    need(text.startswith("STOPPING=1\nSTATUS=Stopping: power off\n"), text)


def lacking_image():
    """The usual image, whose list also names modules that are not there, or are none, and whose
    /dev/console is nothing that the kernel could open for its init."""
    kernel = Kernel()
    image = Image(kernel).add_init()
    image.archive.add_directory("/dev/console")
    listed = re.search(rb"(?:/lib/modules/\S+\.ko.*\n|-\n)+", usual_bytes(image))
    image.archive.add_file("/lib/modules/no-module.ko.xz", b"\xfd7zXZ\0 this is no module")
    image.archive.add_file("/etc/guestlink/modules", listed[0] + b"/lib/modules/gone/overlay.ko\n"
                           b"/lib/modules/no-module.ko.xz\nnonsense\n")
    return image


def usual_bytes(image):
    with tempfile.TemporaryDirectory() as folder:
        packed = image.write(pathlib.Path(folder) / "image").read_bytes()
    return zlib.decompressobj(31).decompress(packed)  # the first of two archives, with gzip's head


def console(lab, host, guest):
    """The kernel opened none: PID 1 did, and what it starts has it too."""
    need("unable to open an initial console" in guest.console(), "the kernel opened a console")
    _, words = host.shell("ls -l /proc/1/fd")
    found = re.findall(r" (\d+) -> (\S+)", words)
    need([name for fd, name in found if int(fd) < 3] == ["/dev/console"] * 3, words)
    need([name for fd, name in found if int(fd) > 2 and "console" in name] == [], words)
    host.run(1, "/bin/sh", "-c", "ls -l /proc/self/fd >&2; exec sh -c 'echo in out err >&2'",
             flags=ph.TERMINAL)
    shown = guest.wait_console(r"(?s)0 -> (\S+).*?1 -> (\S+).*?2 -> (\S+).*?in out err",
                               lab.seconds(10)).groups()
    need(shown == ("/dev/console",) * 3, f"a program's console: {shown}")
    lab.say("the kernel opened no console: PID 1 and its programs have it all the same")


def mounts(lab, host):
    _, words = host.shell("cat /proc/mounts; ls -ld /tmp /dev/shm; cat /sys/class/net/lo/flags; "
                          "cat /proc/1/oom_score_adj; nc -l -p 99 127.0.0.1 & "
                          "until echo loop | nc -w 2 127.0.0.1 99; do sleep 0.1; done; "
                          "test -c /dev/ptmx && echo pty")
    for target, expected in MOUNTS.items():
        kind, options = expected.split()
        line = next((line for line in words.splitlines() if f" {target} {kind} " in line), "")
        need(line.split(" ")[3:4] and set(options.split(",")) <= set(line.split()[3].split(",")),
             f"{target}: {line!r}, expected {expected}")
    need(words.count("drwxrwxrwt") == 2, "no sticky bit")
    for word in ("0x9\n", "\n-1000\n", "\nloop\n", "\npty\n"):
        need(word in words, f"{word!r} is not in {words}")
    lab.say(f"{len(MOUNTS)} mounts with their flags, lo up, safe from the OOM killer")


def entropy(lab, host):
    """Only what the host counts as entropy makes the kernel's generator ready."""
    # A word in the kernel's log after each request: the order there needs no clock.
    told = "echo entropy-asked >/dev/kmsg; dmesg | grep -oE 'crng init done|entropy-asked'"
    log = []
    for bits in (0, 64, 2048):
        request = struct.pack("<IIHH", 12, bits, 256, 0) + bytes(range(256))
        need(host.do(ph.ADD_ENTROPY, request) == (0, ""), f"entropy of {bits} bits")
        log = host.shell(told)[1].splitlines()
    asked = "entropy-asked"
    need(log == [asked, asked, "crng init done", asked], f"not ready by the host's doing: {log}")
    lab.say("the generator was not ready until the host counted its bytes as entropy")
    for bits, size in ((2049, 256), (1, 0), (0, 513)):
        error, text = host.do(ph.ADD_ENTROPY, struct.pack("<IIHH", 12, bits, size, 0) + bytes(size))
        need(error == 22, f"{bits} bits of {size} bytes: {error}: {text}")
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
    need((size, major, minor, page) == (176, 1, 1, 4096), "the head")
    need((base, length) == (int(lines[0], 0), int(lines[1])), f"pool {base:#x}, {length}: {lines}")
    need(memory == int(lines[2].split()[1]) * 1024, f"memory {memory}: {lines[2]}")
    need(cpus == int(lines[3]) and boot.hex() == lines[4].replace("-", ""), "processors, boot id")
    need(again[64:128].rstrip(b"\0").decode() == lines[5], "the release")
    need(bool(features & 1) == ("user_notif" in lines[6]), "seccomp")
    # virtiofs is there; 9p and overlay are not: one has no module, the other's file is gone.
    need(features & 0x1e == 0x12 and features & 0x60 == 0x20, f"features {features:#x}")
    lab.say(f"the facts are so: features {features:#x}, pool {base:#x}, {length}")


def lacking_module(lab, host):
    def loaded():
        _, words = host.shell("dmesg -r | grep guestlink-init")
        return words if "module overlay " in words and "module no_module " in words else None
    words = wait_for("a word on each module", lab.seconds(20), loaded, 0.2)
    # <facility * 8 + level>: of a daemon, a warning and a notice.
    for level, text in ((28, "module overlay "), (30, "host: welcomed as plain")):
        need(f"<{level}>" in next(line for line in words.splitlines() if text in line),
             f"{text!r} has not level {level}: {words}")
    for text in ("cannot load module overlay (/lib/modules/gone/overlay.ko): No such file",
                 "cannot load module no_module (/lib/modules/no-module.ko.xz)",
                 "expected the absolute path of a .ko file; ignoring it"):
        need(text in words, f"no warning {text!r}: {words}")
    error, text = host.do(ph.MOUNT, ph.mount("c", "/mnt/c", 3000, transport=1, port=SHARE))
    need(error == 19 and "this kernel has no 9p" in text and "no_module" in text,
         f"9p without its module: {error}: {text}")
    lab.say(f"modules that are not there were warned about; then: {text}")


def flood(lab, host, guest):
    """A noisy host makes PID 1 log at most a burst; what was kept back is counted."""
    before = guest.console().count("guestlink-init:")
    began = time.monotonic()
    for number in range(800):
        host.ask(ph.MOUNT, ph.mount(f"t{number}", "/proc/x", 1))
        if number % 100 == 99:
            host.result(host._next_number)
    host.need_alive()
    host.settle(1.2)
    host.do(ph.MOUNT, ph.mount("t", "/proc/x", 1))
    lines = guest.console().count("guestlink-init:") - before
    # init/base/limits.h: a burst of 60, and 10 a second; the command of need_alive() is among them.
    most = 60 + 10 * (time.monotonic() - began + 2)
    need(lines <= most, f"{lines} lines instead of {most:.0f} at most")
    _, words = host.shell("dmesg | grep 'lines before this' | tail -n 1")
    need("lines before this" in words, f"not counted: {words}")
    lab.say(f"800 failing requests: {lines} lines; “{words.split('] ', 1)[-1].strip()}”")


def ready(lab, host, notify):
    need(host.do(ph.COMPLETE_BOOT)[0] == 0, "COMPLETE_BOOT")
    host.wait("READY", lambda: host.ready)
    times = host.ready[0]
    order = ["started", "modules", "connected", "sent", "welcomed", "ready"]
    values = [times[name] for name in order]
    need(all(values) and values == sorted(values), f"times {times}")
    lab.say(", ".join(f"{name} {times[name] / 1e6:.1f} ms" for name in order))
    text = hear(notify, lab.seconds(10))
    need(text.startswith("READY=1\nSTATUS=") and "X_GUESTLINK_HOSTNAME=duty\n" in text, text)
    lab.say("the VM manager, who gave its address by fw_cfg, heard " + text.replace("\n", " ")[:60])
