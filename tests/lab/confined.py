"""A share with an aperture: which memory tables its virtiofsds were told, as told/told.c writes them
down, and what has its rings move."""

from show import need

LOG = "told.log"
# A ring has up to 1,024 entries, of 26 bytes in its three parts, on pages of its own; a share has two.
RINGS = 2 * 28672


def told(folder):
    """Of all virtiofsds that served that folder so far, in their order: guest addresses and sizes."""
    log = folder / LOG
    for line in log.read_text().splitlines() if log.exists() else ():
        _, *numbers = [int(word, 16) for word in line.split()]
        yield list(zip(numbers[::2], numbers[1::2]))


def widest(tables, pools, what):
    """None has more than one of the pools and rings; returns the most bytes that rings had."""
    most = 0
    for table in tables:
        own = [region for region in table if region in pools]
        rings = sum(size for _, size in table) - sum(size for _, size in own)
        need(len(own) == 1 and rings <= RINGS, f"{what}: told of more: {table}")
        most = max(most, rings)
    return most


def pool_of(hostd):
    """Base and size, as the latest boot's token has them; None without a token."""
    token = hostd.events("ApplyGuestCapabilities")[-1].get("token")
    if not token:
        return None
    base, size = token.removeprefix("swiotlb=").split(",")
    return int(base, 16), int(size)


def bind_again(guest, in_guest, tag):
    """The driver of a share's device in the guest: pages that the rings had are others' then, and the
    rings lie elsewhere. in_guest: runs a shell's script there."""
    buses = [port["pci_bridge"] for port in guest.ask_qemu("query-pci")[0]["devices"]
             if "pci_bridge" in port]
    (bus,) = [device["bus"] for bridge in buses for device in bridge.get("devices", ())
              if device["qdev_id"].endswith(f"-fs-{tag}")]
    in_guest(
        f"umount /mnt/{tag} && device=$(basename /sys/bus/pci/devices/0000:{bus:02x}:00.0/virtio*) "
        "&& cd /sys/bus/virtio/drivers/virtiofs && echo $device >unbind && "
        "head -c 3000000 /dev/urandom >/tmp/between && echo $device >bind && rm /tmp/between && "
        f"mount -t virtiofs {tag} /mnt/{tag} && grep -q 'on the host' /mnt/{tag}/from-host.txt")
