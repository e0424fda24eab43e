"""PID 1 and what devices bring it: a root on a disk, a VM manager's socket, 9P, name servers.

The files that a kernel has of a device are plain files here (pid1_place.py), what is mounted of one
is a folder, and a vsock device is a folder of Unix sockets (pid1_kernel.c).
"""

import errno
import os
import select
import socket
import time

import guestlink_guest as wire
from cases_wire import check
from pid1_place import Machine

POWER_OFF = 0
UUID = "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01"

# A disk $1 that has $2 (printf's) at the offset $3, and so on; what is mounted of it is in /shares.
DISKS = r"""
disk() {
    name=$1; shift
    mkdir -p "$root/sys/class/block/$name" "$root/shares/$name/etc"
    echo "$name" >"$root/shares/$name/etc/name"
    truncate -s 128K "$root/dev/$name"
    while [ $# -gt 0 ]; do
        printf "$1" | dd of="$root/dev/$name" bs=1 seek=$(($2)) conv=notrunc status=none
        shift 2
    done
}
mkdir -p "$root/sys/class/block/gone"
disk empty
disk ext '\123\357' 0x438 'LABEL-E' 0x478
disk xfs XFSB 0 'data' 108
disk btrfs '_BHRfS_M' 0x10040 'LABEL-B' 0x1012b \
    '\154\037\077\156\217\012\112\123\235\013\057\157\177\037\012\001' 0x10020
"""


def a_root_on_a_disk(init):
    """By label, UUID or path; its options are the filesystem's, but for ro and rw."""
    for root, options, name, said, read_only in (
            ("LABEL=LABEL-E", "noatime,ro,data=x", "ext", "ext4 noatime,data=x", True),
            ("LABEL=data", "rw", "xfs", "xfs ", False),
            (f"UUID={UUID}", "rw,subvol=a,rx,w", "btrfs", "btrfs subvol=a,rx,w", False),
            (f"UUID={UUID}", "subvol=ro,ro", "btrfs", "btrfs subvol=ro", True),
            ("/dev/xfs", "", "xfs", "xfs ", False)):
        option = f"guestlink.root_options={options}" if options else ""
        with Machine(init, f"guestlink.root={root} {option} guestlink.root_init=/etc/nothing",
                     before=DISKS) as machine:
            machine.welcome()
            error, text = machine.result(wire.COMPLETE_BOOT)
            check(error == errno.ENOENT and "cannot use /etc/nothing: No such file" in text and root in text,
                  f"{root}: {error} {text}")
            machine.run(1, "sh", "-c", "cat /sysroot/etc/name /sysroot/mounted; "
                                       "grep ' /sysroot ' /proc/self/mountinfo | cut -d' ' -f6")
            lines = machine.output_of(1)[0].splitlines()
            check(lines[:2] == [name, said], f"{root} {options}: {lines}")
            flags = lines[2].split(",")
            check(flags[0] == ("ro" if read_only else "rw") and "nosuid" not in flags,
                  f"{root} {options}: {lines}")


class Port:
    """A port of a vsock device."""

    def __init__(self, machine, number, kind, cid=2):
        path = machine.folder / "vsock" / f"{cid}.{number}"
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        if kind != socket.SOCK_DGRAM:
            self.socket.listen(8)
        self.kind = kind

    def message(self, wait=60):
        """The next one: a datagram, or all that comes by a connection."""
        check(select.select([self.socket], [], [], wait)[0], "nobody came to the port")
        if self.kind == socket.SOCK_DGRAM:
            return self.socket.recv(65536).decode()
        with self.socket.accept()[0] as connection:
            connection.settimeout(wait)
            data = b""
            while part := connection.recv(65536):
                data += part
            return data.decode()

    def is_quiet(self):
        return not select.select([self.socket], [], [], 0)[0]


# The folder of vsock sockets, and what a manager gives to a guest: an empty entry, another one's,
# and then ours ($1); or a file of fw_cfg.
MANAGER = r"""
mkdir "$root/vsock"; mount --bind "$folder/vsock" "$root/vsock"
mount -t tmpfs firmware "$root/sys/firmware"
entries=$root/sys/firmware/dmi/entries
smbios() {
    mkdir -p "$entries/11-0" "$entries/11-1" "$entries/11-2"
    : >"$entries/11-0/raw"
    printf '\13\5\0\1\1other\0\0' >"$entries/11-1/raw"
    printf '\13\5\0\2\1io.systemd.credential:vmm.notify_socket=%s\0\0' "$1" >"$entries/11-2/raw"
}
fw_cfg() {
    folder=$root/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/vmm.notify_socket
    mkdir -p "$folder"
    echo "$1" >"$folder/raw"
}
"""


def managed(init, how):
    """A machine with a manager, whose sockets nobody has opened yet."""
    return Machine(init, before=MANAGER + how + "\n", folders=["vsock"])


def a_manager_is_told(init):
    """That the guest is up, and that it goes down; by the kind of socket that the manager has."""
    for how, kind in (("smbios vsock:2:77", socket.SOCK_DGRAM),
                      ("smbios vsock:2:77", socket.SOCK_SEQPACKET),
                      ("smbios vsock-stream:2:77", socket.SOCK_STREAM),
                      ("fw_cfg vsock:2:77", socket.SOCK_STREAM)):
        with managed(init, how) as machine:
            port = Port(machine, 77, kind)
            machine.welcome()
            machine.result(wire.SET_HOSTNAME, {"name": "told"})
            machine.result(wire.COMPLETE_BOOT)
            machine.take(wire.READY)
            said = port.message().splitlines()
            check(said[:3] == ["READY=1", "STATUS=Ready", "X_GUESTLINK_HOSTNAME=told"], f"{said}")
            machine.send(wire.SHUT_DOWN, {"how": POWER_OFF, "grace_ms": 60000})
            machine.answer(machine.take(wire.FAREWELL))
            check(port.message().splitlines()[0] == "STOPPING=1", "the end")
            check(port.is_quiet(), "told twice")


def a_manager_that_cannot_be_told(init):
    """Is named in the log, with the reason, and keeps nobody waiting."""
    for how, words in (("smbios vsock:2", "vmm.notify_socket 'vsock:2': expected vsock:CID:PORT"),
                       ("smbios vsock:2:78", "vmm.notify_socket 'vsock:2:78': No such file"),
                       ("smbios vsock-stream:2:77", "vmm.notify_socket 'vsock-stream:2:77': ")):
        with managed(init, how) as machine:
            port = Port(machine, 77, socket.SOCK_DGRAM)
            machine.welcome()
            machine.result(wire.COMPLETE_BOOT)
            machine.take(wire.READY)
            deadline = time.monotonic() + 60
            while words not in machine.log() and time.monotonic() < deadline:
                time.sleep(0.02)
            check(words in machine.log(), machine.log())
            check(port.is_quiet(), "told by another kind of socket")


def a_share_by_9p(init):
    """Over a connection of its own, which blocks, and is named among the options."""
    with managed(init, 'mkdir "$root/shares/data"; echo words >"$root/shares/data/file"') as machine:
        port = Port(machine, 90, socket.SOCK_STREAM, cid=0)  # the host is no vsock device here
        machine.welcome()
        order = {"tag": "data", "target": "/mnt/data", "transport": 1, "port": 90,
                 "timeout_ms": 60000}
        check(machine.result(wire.MOUNT, {**order, "flags": 1}) == (0, ""), "mount")
        connection = port.socket.accept()[0]
        options = connection.recv(4096).decode()
        check(options.startswith("trans=fd,rfdno=") and ",msize=65536,version=9p2000.L," in options,
              options)
        machine.run(1, "sh", "-c", "cat /mnt/data/file; grep ' /mnt/data ' /proc/self/mountinfo | "
                                   "cut -d' ' -f6")
        lines = machine.output_of(1)[0].splitlines()
        check(lines[0] == "words" and lines[1].startswith("ro,nosuid,nodev"), f"{lines}")
        error, text = machine.result(wire.MOUNT, {**order, "port": 91, "target": "/mnt/other"})
        check(error and "no connection to vsock port 91: " in text, f"{error} {text}")
        error, text = machine.result(wire.MOUNT, {**order, "tag": "none", "target": "/mnt/other"})
        check(error == errno.EINVAL and "9p 'none' on '/mnt/other': " in text, f"{error} {text}")
        connection.close()


# Two interfaces.
PAIR = ("ip link add name one address 02:00:00:00:00:01 type veth "
        "peer name two address 02:00:00:00:00:02 2>&1 || true\n")


def name_servers_of_all_interfaces(init):
    """Stand in one file; an interface that goes takes its own along."""
    with Machine(init, before=PAIR) as machine:
        machine.welcome()
        if not machine.run(1, "ip", "link", "show", "one")[0] and machine.exit_of(1)["status"]:
            print("SKIP name_servers_of_all_interfaces: this kernel has no veth")
            return

        def configure(number, **fields):
            return machine.result(wire.CONFIGURE_NETWORK, {
                "mac": bytes([2, 0, 0, 0, 0, number]), "timeout_ms": 60000, **fields})

        def servers(process):
            machine.run(process, "sort", "/etc/resolv.conf")
            return [line.split()[1] for line in machine.output_of(process)[0].splitlines()]

        check(configure(1) == (0, ""), "without name servers")
        machine.run(2, "ls", "/run/guestlink/dns")
        check(machine.output_of(2)[0] == "", "a file of no name servers")
        check(configure(1, dns=["192.0.2.1", "2001:db8::1"]) == (0, ""), "one")
        check(configure(2, dns=["192.0.2.2"]) == (0, ""), "two")
        check(servers(3) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"], "of both")
        check(configure(1, dns=["192.0.2.9"]) == (0, ""), "another")
        check(servers(4) == ["192.0.2.2", "192.0.2.9"], "of both, changed")
        for dns, wanted in ((["192.0.2.1/24"], errno.EINVAL), (["192.0.2.111"] * 500, errno.E2BIG)):
            error, text = configure(1, dns=dns)
            check(error == wanted and "name server" in text, f"{error} {text}")
        check(servers(5) == ["192.0.2.2", "192.0.2.9"], "after what was refused")
        check(configure(2, flags=1) == (0, ""), "removed")
        check(servers(6) == ["192.0.2.9"], "of the other")


# As a kernel of 6.13 and later has it, with a limit of $1 pages.
LIMIT = r"""
mkdir "$root/shares/data"
limit() {
    mount -t tmpfs limits "$root/proc/sys/fs"
    mkdir "$root/proc/sys/fs/fuse"
    echo "$1" >"$root/proc/sys/fs/fuse/max_pages_limit"
}
"""


def requests_fit_into_the_pool(init):
    """256 KiB with all that is in one, if the guest may bounce; a smaller limit stays."""
    most = (256 << 10) // os.sysconf("SC_PAGE_SIZE") - 4
    for words, before, transport, after in (
            ("swiotlb=force", most + 1, 0, most), ("swiotlb=force", most, 0, most), ("swiotlb=force", 5, 0, 5),
            ("swiotlb=noforce", 256, 0, 256), ("swiotlb=force", 256, 1, 256)):
        with Machine(init, words, before=LIMIT + f"limit {before}\n") as machine:
            machine.welcome()
            error, text = machine.result(wire.MOUNT, {"tag": "data", "target": "/mnt/data", "transport": transport,
                                                      "timeout_ms": 300})
            check((error == 0) == (transport == 0), f"{error} {text}")
            machine.run(1, "cat", "/proc/sys/fs/fuse/max_pages_limit")
            got = machine.output_of(1)[0]
            check(got == f"{after}\n", f"{words}, {before}, by {transport}: {got}")


CASES = [requests_fit_into_the_pool, a_root_on_a_disk, a_manager_is_told, a_manager_that_cannot_be_told, a_share_by_9p,
         name_servers_of_all_interfaces]
