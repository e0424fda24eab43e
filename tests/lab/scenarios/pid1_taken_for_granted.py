"""What programs expect of whoever boots them: a safe root, /dev, sysctls, hosts, limits, containers."""

import struct

import plain_host as ph
from image import Image
from kernel import Kernel
from show import need

EINVAL = 22
FOLDERS = ("/", "/usr", "/usr/local", "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin",
           "/sbin", "/bin")
# What is asked of a user's program, and what it must find. (what, script, its words)
OF_A_USER = (
    ("standard output by name", "echo word >/dev/stdout; echo word >/proc/self/fd/1", "word\nword"),
    ("standard error by name", "echo word 2>&1 >/dev/null; echo word >/dev/stderr", "word"),
    ("standard input by name", "echo word | cat /dev/stdin", "word"),
    ("a file by its number", "cat /dev/fd/9 9</etc/hostname", "named"),
    ("no program in the PATH of root", "for f in / /usr /usr/local /usr/local/sbin /usr/bin /bin; do "
     "mkdir $f/mine 2>/dev/null && echo $f; done; true", ""),
    ("temporary folders", "for f in /tmp /var/tmp /run/lock /dev/shm /dev/mqueue; do "
     "touch $f/mine$(id -u) || echo $f; done", ""),
    ("devices", "stat -c '%a %n' /dev/fuse /dev/vsock /dev/net/tun",
     "666 /dev/fuse\n666 /dev/vsock\n666 /dev/net/tun"),
    ("open files", "ulimit -Sn; ulimit -Hn", "1024\n524288"),
    ("umask", "umask", "0022"),
)
SYSCTLS = {"fs/protected_symlinks": "1", "fs/protected_hardlinks": "1", "fs/protected_fifos": "1",
           "fs/protected_regular": "2",  # as the command line has it
           "net/ipv4/ping_group_range": "0 2147483647"}
# Each limit by its name, with numbers that a program can live with.
LIMITS = {"as": "as 4294967296 unlimited", "core": "core 0 4096", "cpu": "cpu 100 200",
          "data": "data 1073741824 unlimited", "fsize": "fsize 1048576 2097152",
          "locks": "locks 7 8", "memlock": "memlock 65536 131072",
          "msgqueue": "msgqueue 100000 200000", "nice": "nice 5 10", "nofile": "nofile 100 200",
          "nproc": "nproc 50 60", "rss": "rss 1000000 2000000", "rtprio": "rtprio 3 4",
          "rttime": "rttime 1000000 2000000", "sigpending": "sigpending 10 20",
          "stack": "stack 4194304 8388608"}


def play(lab):
    guest = lab.guest("lab", "old", "sysctl.fs.protected_regular=2", image=open_image())
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    folders(lab, host, guest)
    need(host.do(ph.SET_HOSTNAME, struct.pack("<IHH", 8, 5, 0) + b"named")[0] == 0, "hostname")
    host.shell("hostname >/etc/hostname")
    settings(lab, host)
    of_a_user(lab, host)
    limits(lab, host)
    containers(lab, host)
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")


def open_image():
    """The usual image, whose root is as a kernel makes it, and whose PATH others may write to."""
    image = Image(Kernel(), modules=("fuse", "tun")).add_init()
    image.archive.add_directory(".", 0o1777)
    for path, mode in (("/usr", 0o757), ("/usr/local", 0o775), ("/usr/local/bin", 0o777)):
        image.archive.add_directory(path, mode)
    return image


def folders(lab, host, guest):
    _, words = host.shell("stat -c '%n %a %u %g' " + " ".join(FOLDERS) + " 2>/dev/null")
    found = {line.split()[0]: line.split()[1:] for line in words.splitlines()}
    need("/" in found and "/usr/local/bin" in found, words)
    for path, (mode, owner, _) in found.items():
        need(int(mode, 8) & 0o002 == 0 and owner == "0", f"others may write to {path}: {words}")
    need(found["/"] == ["755", "0", "0"], f"/: {found['/']}")
    guest.wait_console(r"/ had owner 0 and mode 1777; set to root and 0755", lab.seconds(5))
    lab.say("/ and each folder of the PATH are root's alone, and what was changed is logged")


def settings(lab, host):
    for name, value in SYSCTLS.items():
        status, words = host.shell(f"tr '\\t' ' ' </proc/sys/{name}")
        need((status, words.strip()) == (0, value), f"{name}: {words}, expected {value}")
    _, words = host.shell("cat /etc/hosts")
    need("127.0.0.1 localhost" in words and "127.0.1.1 named\n" in words, words)
    host.shell("echo '10.0.0.1 mine' >>/etc/hosts")
    host.do(ph.SET_HOSTNAME, struct.pack("<IHH", 8, 5, 0) + b"other")
    _, words = host.shell("cat /etc/hosts")
    need("10.0.0.1 mine" in words and "other" not in words, f"a file of somebody else's: {words}")
    lab.say("sysctls as systemd's; /etc/hosts has the own name, and is left alone once it was changed")


def of_a_user(lab, host):
    for what, script, expected in OF_A_USER:
        for uid in (0, 1000):
            if uid == 0 and "PATH" in what:
                continue
            status, words = host.run(1, "/bin/sh", "-c", script, uid=uid, gid=uid)
            need((status, words.strip()) == (0, expected), f"uid {uid}: {what}: {status}: {words}")
    for role, flags in ((ph.PAYLOAD, 0), (ph.COMMAND, ph.TERMINAL)):
        status, _ = host.run(2, "/bin/sh", "-c", "echo to the console >/dev/stdout", uid=1000,
                             gid=1000, role=role, flags=flags)
        need(status == 0, f"role {role}, flags {flags}: /dev/stdout on the console: {status}")
    lab.say("as user 1000 too: " + "; ".join(what for what, _, _ in OF_A_USER))


def limits(lab, host):
    show = "cat /proc/self/limits; umask"
    names = {"as": "address space", "core": "core file size", "cpu": "cpu time", "data": "data size",
             "fsize": "file size", "locks": "file locks", "memlock": "locked memory",
             "msgqueue": "msgqueue size", "nice": "nice priority", "nofile": "open files",
             "nproc": "processes", "rss": "resident set", "rtprio": "realtime priority",
             "rttime": "realtime timeout", "sigpending": "pending signals", "stack": "stack size"}
    for role in (ph.COMMAND, ph.PAYLOAD):
        status, words = host.run(3, "/bin/sh", "-c", show, uid=1000, role=role, umask=0o27,
                                 limits=tuple(LIMITS.values()))
        need(status == 0 and words.endswith("0027\n"), f"{status}: {words}")
        for name, text in LIMITS.items():
            line = next(line for line in words.splitlines() if f"Max {names[name]} " in line)
            need(line.split(names[name])[1].split()[:2] == text.split()[1:], f"{text}: {line}")
    for bad in ("nofile", "nofile 1", "nofile 2 1", "files 1 2", "nofile x 2", "nofile 1 2 3"):
        error, text = host.do(ph.START_PROCESS, ph.process(4, ["/bin/true"], limits=(bad,)))
        need(error == EINVAL, f"limit {bad!r}: {error}: {text}")
    status, words = host.run(5, "/bin/sh", "-c", "umask; ulimit -n", minor=0)
    need((status, words) == (0, "0022\n1024\n"), f"of a host of version 1.0: {status}: {words}")
    lab.say(f"{len(LIMITS)} limits and the umask as asked; what makes no sense is refused")


# What a container runtime does: a mount namespace, a root of its own, pivot_root.
CONTAINER = r"""set -e
test "$(grep -c ' / / .* shared:' /proc/self/mountinfo)" -ge 1
mkdir -p /tmp/root/bin /tmp/root/old
mount -t tmpfs inner /tmp/root; mkdir -p /tmp/root/bin /tmp/root/old
cp /bin/busybox /tmp/root/bin
unshare -m sh -c 'cd /tmp/root; mount --make-rprivate /; pivot_root . old; exec /bin/busybox ls /old/etc/guestlink'
"""


# The same of a user's own, as bwrap does it.
OF_NOBODY = r"""set -e
mkdir /tmp/own
unshare -Urm sh -c 'mount --make-rslave /; mount -t tmpfs inner /tmp/own; cd /tmp/own; mkdir bin old
    cp /bin/busybox bin; pivot_root . old; exec /bin/busybox ls /old/etc/guestlink'
"""


def containers(lab, host):
    status, words = host.shell(CONTAINER)
    need((status, words) == (0, "modules\n"), f"pivot_root: {status}: {words}")
    status, words = host.run(6, "/bin/sh", "-c", OF_NOBODY, uid=1000, gid=1000)
    need((status, words) == (0, "modules\n"), f"pivot_root in a user namespace: {status}: {words}")
    lab.say("pivot_root works for a container, a user's own too, and / is shared")
