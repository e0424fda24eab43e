"""What the lab's guests run: a shell script that says on the console what it found."""

import re

STATUS = 42


def script(port, target="/mnt/c"):
    """Reads and writes the share, shows the interface, calls the host; ends with STATUS."""
    return f"""exec >/dev/console 2>&1
pool=/sys/bus/vmbus/drivers/hv_pci
say() {{ echo "payload: $*"; }}
say base $(cat $pool/swiotlb_base 2>/dev/null || echo none)
say size $(cat $pool/swiotlb_size 2>/dev/null || echo none)
say environment $(env | grep -c -i -e swiotlb -e guestlink)
say hostname $(hostname)
say read $(cat {target}/from-host.txt)
echo "written in the guest under Linux $(uname -r)" >{target}/from-guest.txt && say wrote
say address $(ip -4 -o addr | sed -n 's/.*inet \\(10[^ ]*\\).*/\\1/p')
say route $(ip -4 route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')
say answer $(echo "a packet from the guest, kernel $(uname -r)" | nc -w 15 10.0.2.2 {port})
exit {STATUS}
"""


def said(guest, word):
    """What the payload said after a word, or None; the kernel's own lines may stand between."""
    found = re.search(rf"^payload: {word}[ ]?(.*)\n", guest.console(), re.MULTILINE)
    return found[1].strip() if found else None


COUNTING = """n=0
while :; do
    n=$((n + 1))
    echo $n >/mnt/c/counter || echo "payload: cannot write" >/dev/console
    sleep 0.2
done
"""
"""A payload that shows by a growing number on its share that guest and share live."""


def count(folder):
    """The newest number of COUNTING, as the host sees it."""
    try:
        return int((folder / "counter").read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0
