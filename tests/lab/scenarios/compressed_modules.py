"""Modules as distributions pack them (.xz, .zst, .gz): loaded where the kernel can, else named."""

import pathlib
import re
import subprocess

import plain_host as ph
from image import Image
from kernel import Kernel
from kinds import CPU
from show import need
from wait import wait_for

EARLY = ["virtio_pci", "vmw_vsock_virtio_transport"]
COMPRESSORS = {".xz": ("XZ", ["xz", "-c", "--check=crc32", "--lzma2=dict=1MiB"]),
               ".zst": ("ZSTD", ["zstd", "-cq"]), ".gz": ("GZIP", ["gzip", "-nc"])}
# One for each way of packing: loaded after the handshake, and by nobody else.
LATE = {".xz": "overlay", ".zst": "dummy", ".gz": "veth"}

# An adapter whose packets go through the bounce pool.
BOUNCING = ["-netdev", "user,id=net",
            "-device", "virtio-net-pci,netdev=net,iommu_platform=on,disable-legacy=on"]

NEEDS = "unpacking"


def play(lab):
    usual = Kernel()
    boot(lab, usual)
    if not unpacked_by(usual):
        try:
            able = Kernel("unpacking")
        except FileNotFoundError:
            lab.skip(f"Linux {usual.release} cannot unpack modules, and apt here has no kernel "
                     "that can (tests/lab/setup run unpacking)")
        boot(lab, able)


def unpacked_by(kernel):
    """How the modules are packed that the kernel unpacks by itself: a suffix, or none."""
    config = (kernel.folder / f"boot/config-{kernel.release}").read_text()
    if "CONFIG_MODULE_DECOMPRESS=y" not in config:
        return ""
    return next(suffix for suffix, (name, _) in COMPRESSORS.items()
                if f"CONFIG_MODULE_COMPRESS_{name}=y" in config)


def boot(lab, kernel):
    able = unpacked_by(kernel)
    lab.say(f"Linux {kernel.release} unpacks by itself: {able or 'nothing'}")
    image, known = Image(kernel).add_init(), {}
    # What has to be loaded stays unpacked where the kernel could not load it.
    lines = [line for name in EARLY for line in add(image, kernel, name, able, known)]
    lines += ["-", *add(image, kernel, "virtio_net", able, known)]
    for suffix, name in LATE.items():
        lines += add(image, kernel, name, suffix, known)
    image.archive.add_file("/etc/guestlink/modules", "\n".join(lines).encode() + b"\n")
    guest = lab.guest(kernel.release, "stock", image=image, extra=["-cpu", CPU, *BOUNCING])
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    looked(lab, host, able)
    pool_usage(lab, host)
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    host.close()


def looked(lab, host, able):
    def done():
        _, words = host.shell("cut -d ' ' -f 1 /proc/modules; dmesg | grep 'cannot load module'")
        return words if all(re.search(rf"^{name}$|module {name} ", words, re.MULTILINE)
                            for name in LATE.values()) else None
    words = wait_for("every module to be loaded or not", lab.seconds(20), done, 0.2)
    for suffix, name in LATE.items():
        loaded = name in words.splitlines()
        need(loaded == (suffix == able), f"{name}{suffix}: loaded: {loaded}: {words}")
        why = (f"cannot load module {name} (/lib/modules/packed/{name}.ko{suffix}): this "
               f"kernel cannot decompress it (CONFIG_MODULE_DECOMPRESS, "
               f"CONFIG_MODULE_COMPRESS_{COMPRESSORS[suffix][0]}); continuing without it")
        need((why in words) == (suffix != able), f"{name}{suffix}: {words}")
        lab.say(f"{name}.ko{suffix}: {'loaded' if loaded else 'named, with the reason'}")


def pool_usage(lab, host):
    """Each kernel shows its pools in another way: a high-water mark since 6.4."""
    host.shell("ip link set eth0 up")
    usage = host.pool_usage()
    _, words = host.shell("cd /sys/kernel/debug/swiotlb && grep -H . $(find . -name 'io_tlb*')")
    files = dict(line.rsplit("/", 1)[-1].split(":") for line in words.splitlines())
    (name, total, used, high_water), = usage
    need(name == "swiotlb" and total == int(files["io_tlb_nslabs"]), f"{usage}: {files}")
    need(0 < used <= total and (high_water > 0) == ("io_tlb_used_hiwater" in files),
         f"{usage}: {files}")
    need(high_water == 0 or used <= high_water <= int(files["io_tlb_used_hiwater"]) <= total,
         f"{usage}: {files}")
    lab.say(f"of {total} slots {used} in use, the most so far: {high_water or 'not counted'}")


def add(image, kernel, name, suffix, known):
    """Adds the modules that one needs, packed if there is a suffix; returns their lines."""
    lines = []
    shown = run(["modprobe", "--config", "/dev/null", "-d", kernel.folder, "-S", kernel.release,
                 "--show-depends", name]).decode()
    for file in re.findall(r"^insmod (\S+)", shown, re.MULTILINE):
        plain = re.sub(r"\.(xz|zst|gz)$", "", file)
        if plain in known:
            continue
        path = f"/lib/modules/packed/{pathlib.PurePath(plain).name}{suffix}"
        image.archive.add_file(path, content(file, plain, suffix))
        lines.append(" ".join([path, *known.values()]))
        known[plain] = pathlib.PurePath(plain).stem.replace("-", "_")
    return lines


def content(file, plain, suffix):
    """The file's bytes: as they are if they are packed so already, or unpacked, or packed anew."""
    unpackers = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"]}
    if file == plain + suffix:
        return pathlib.Path(file).read_bytes()
    data = pathlib.Path(file).read_bytes()
    if file != plain:
        data = run(unpackers[pathlib.PurePath(file).suffix], data)
    return run(COMPRESSORS[suffix][1], data) if suffix else data


def run(argv, data=b""):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True).stdout
