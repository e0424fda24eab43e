"""Where a stock kernel's pool is: only its own record counts, the last one; the log may lack it."""

import re
import struct

import plain_host as ph
from image import Image
from kernel import Kernel
from show import need

# What any program may write, and what it may be called: the kernel's line of its fault has the
# first 15 bytes of its name in front, and its file's name whole.
LIE = "software IO TLB: mapped [mem 0x0000000001000000-0x0000000005000000] (64MB)"
TORN = "software IO TLB: tearing down default memory pool"
LATE = "software IO TLB: mapped [mem 0x0000000002000000-0x0000000006000000] (64MB)"
OLD = "software IO TLB [mem 0x02000000-0x05ffffff] (64MB) mapped at [ffff880002000000-ffff880005ffffff]"
LINES = 6000  # more than a log of 128 KiB has records

# A program that ran before PID 1's, in the same process.
BEFORE = f"""#!/bin/sh
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
echo on >/proc/sys/kernel/printk_devkmsg
case $before in
lies)
    for priority in 0 6 14 30; do
        echo "<$priority>{LIE}" >/dev/kmsg
        echo "<$priority>{TORN}" >/dev/kmsg
        echo "<$priority>{LIE}" >/dev/kmsg
    done
    for name in '{LIE}' '{TORN}'; do
        cp /bin/fault "/tmp/$name" && "/tmp/$name"
    done
    ;;
floods)
    n=0
    while [ $n -lt {LINES} ]; do n=$((n + 1)); echo "<6>line $n of many"; done >/dev/kmsg
    ;;
made_late) insmod /lab/pool.ko says='"{LATE}"' ;;
dynamic) insmod /lab/pool.ko dynamic=1 ;;
torn_down) insmod /lab/pool.ko says='"{TORN}"' ;;
in_old_words) insmod /lab/pool.ko says='"{OLD}"' ;;
esac 2>/dev/null
unset before
exec /sbin/guestlink-init "$@"
"""

DEFAULT = 3 << 7
SIZE = 64 << 20
WARNING = "swiotlb: reporting no pool"
FORCED = "swiotlb=32768,force iommu=soft"


NOT_SAID = "does not have the pool's address; on x86, add iommu=soft"
# What ran before, the kernel's words, where the pool is (None: as the kernel says), why there is none
BOOTS = (
    ("lies", FORCED, None, ""),
    ("lies", "swiotlb=32768,force", 0, NOT_SAID),
    ("floods", FORCED, 0, "was overwritten; set log_buf_len="),
    ("made_late", "swiotlb=32768,force", 0x2000000, ""),
    ("made_late", FORCED, 0x2000000, ""),
    ("torn_down", FORCED, 0, "the kernel tore its pool down"),
    ("in_old_words", FORCED, 0, "cannot find the pool's address"),
    ("dynamic", FORCED, None, ""),
    ("nothing", "swiotlb=32768 iommu=soft", 0, ""),
)


def play(lab):
    image = Image(Kernel()).add_init().add_program("/bin/fault", lab.compile("fault"))
    image.add_script("/sbin/before", BEFORE).archive.add_directory("/tmp")
    for number, row in enumerate(BOOTS):
        boot(lab, image, number, *row)


def boot(lab, image, number, before, words, where, why):
    guest = lab.guest(f"lab{number}", "old", f"loglevel=7 lab_exec=/sbin/before before={before} "
                      f"{words}", image=image)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    features, base, size = struct.unpack_from("<QQQ", host.capabilities, 8)
    if where is None:
        said = re.search(r"\] software IO TLB: mapped \[mem (\w+)-\w+\] \(64MB\)$", guest.console(),
                         re.MULTILINE)
        where = int(said[1], 16)
    bits = 3 if before == "dynamic" else 1
    expected = (where, SIZE if where else 0, bits << 7 if where else 0)
    need((base, size, features & DEFAULT) == expected,
         f"{before}, {words}: {base:#x}, {size}, features {features:#x}")
    warned = [line for line in guest.console().splitlines() if WARNING in line]
    need(len(warned) == bool(why) and (not why or why in warned[0]),
         f"{before}, {words}: {warned}, expected {why!r}")
    lab.say(f"{before}, {words}: {size >> 20} MiB at {base:#x} {why}")
    if before == "lies":
        _, log = host.shell(f"dmesg | grep -cF '{LIE}'")
        need(int(log) > 4, f"nothing was forged: {log}")
    if before == "nothing":
        too_late(lab, host, guest)
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()


def too_late(lab, host, guest):
    """What was reported once stays for this boot; the log says that it is not true any more."""
    host.shell(f'''insmod /lab/pool.ko says='"{LATE}"' ''')
    guest.wait_console("swiotlb: the kernel created or removed its pool after", lab.seconds(20))
    lab.say("a pool that is made after the report is warned about")
