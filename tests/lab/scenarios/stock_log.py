"""Of a stock kernel's pool only the kernel's own record is believed: forged, overwritten, not forced."""

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
esac 2>/dev/null
unset before
exec /sbin/guestlink-init "$@"
"""

DEFAULT = 3 << 7
FORCED = "swiotlb=32768,force iommu=soft"


def play(lab):
    image = Image(Kernel()).add_init().add_program("/bin/fault", lab.compile("fault"))
    image.add_script("/sbin/before", BEFORE).archive.add_directory("/tmp")
    for name, words, has_pool, why in (
            ("lies", FORCED, True, None),
            ("lies", "swiotlb=32768,force", False, "does not say where it is; on x86, add iommu=soft"),
            ("floods", FORCED, False, "was overwritten; set log_buf_len="),
            ("nothing", "swiotlb=32768 iommu=soft", False, None)):
        boot(lab, image, name, words, has_pool, why)


def boot(lab, image, before, words, has_pool, why):
    guest = lab.guest(f"{before}-{has_pool}", "old", f"loglevel=7 lab_exec=/sbin/before "
                      f"before={before} {words}", image=image)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    features, base, size = struct.unpack_from("<QQQ", host.capabilities, 8)
    text = guest.console()
    said = re.search(r"\] software IO TLB: mapped \[mem 0x(\w+)-0x(\w+)\] \(64MB\)$", text,
                     re.MULTILINE)
    if has_pool:
        begin, end = (int(number, 16) for number in said.groups())
        need((base, size, features & DEFAULT) == (begin, end - begin, 1 << 7),
             f"{features:#x} {base:#x} {size}: {said[0]}")
    else:
        need((base, size, features & DEFAULT) == (0, 0, 0), f"{features:#x} {base:#x} {size}")
    if before == "lies":
        _, log = host.shell(f"dmesg | grep -c '{LIE.split('[', maxsplit=1)[0]}'")
        need(int(log) > 4, f"nothing was forged: {log}")
    warned = "swiotlb: no pool is reported" in text
    need(warned == bool(why) and (why or "") in text, f"warned: {warned}, expected {why}")
    lab.say(f"{before}, {words}: " + (f"{size >> 20} MiB at {base:#x}" if size else
                                      f"no pool ({why or 'nobody asked for it'})"))
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()
