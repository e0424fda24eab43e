"""Modules as the distribution packs them (.ko.xz, .ko.zst, .ko.gz): loaded where the kernel can, else named."""

import pathlib
import re
import subprocess

import plain_host as ph
from image import Image
from kernel import Kernel
from show import need

EARLY, LATE = ["virtio_pci", "vmw_vsock_virtio_transport"], ["virtiofs"]
COMPRESSORS = (("XZ", ".xz", ["xz", "-c", "--check=crc32", "--lzma2=dict=1MiB"]),
               ("ZSTD", ".zst", ["zstd", "-cq"]), ("GZIP", ".gz", ["gzip", "-nc"]))


def play(lab):
    kernel = Kernel()
    config = (kernel.folder / f"boot/config-{kernel.release}").read_text()
    able = "CONFIG_MODULE_DECOMPRESS=y" in config
    suffix, command = next(((end, how) for name, end, how in COMPRESSORS
                            if f"CONFIG_MODULE_COMPRESS_{name}=y" in config), COMPRESSORS[0][1:])
    lab.say(f"Linux {kernel.release} {'can' if able else 'cannot'} unpack modules by itself; "
            f"they are {suffix} here")
    image = Image(kernel).add_init()
    # What the handshake needs stays unpacked where the kernel could not load it.
    lines = [*add(image, kernel, EARLY, suffix if able else "", command), "-",
             *add(image, kernel, LATE, suffix, command)]
    image.archive.add_file("/etc/guestlink/modules", "\n".join(lines).encode() + b"\n")
    guest = lab.guest("lab", "old", image=image)
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    host.settle(1)
    host.need_alive()
    _, words = host.shell("grep virtiofs /proc/filesystems; dmesg | grep 'cannot be loaded'")
    lab.say(words.strip())
    if able:
        need("\tvirtiofs" in words and "cannot be loaded" not in words, words)
        lab.say("all were loaded as they are")
    else:
        need("\tvirtiofs" not in words, "virtiofs is there")
        need(f"virtiofs.ko{suffix}) cannot be loaded: this kernel does not unpack modules" in words,
             words)
        error, text = host.do(ph.MOUNT, ph.mount("c", "/mnt/c", 1000))
        need(error == 19 and "no virtiofs" in text and text.endswith(" virtiofs"), f"{error}: {text}")
        lab.say(f"asked for: {text}")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")


def add(image, kernel, names, suffix, command):
    """Adds the modules that names need, packed if there is a suffix; returns their lines."""
    lines, known = [], {}
    for name in names:
        shown = subprocess.run(["modprobe", "--config", "/dev/null", "-d", kernel.folder, "-S",
                                kernel.release, "--show-depends", name], stdout=subprocess.PIPE,
                               text=True, check=True).stdout
        for file in re.findall(r"^insmod (\S+)", shown, re.MULTILINE):
            plain = re.sub(r"\.(xz|zst|gz)$", "", file)
            if plain in known:
                continue
            path = f"/lib/modules/packed/{pathlib.PurePath(plain).name}{suffix}"
            image.archive.add_file(path, content(file, plain, suffix, command))
            lines.append(" ".join([path, *known.values()]))
            known[plain] = pathlib.PurePath(plain).stem.replace("-", "_")
    return lines


def content(file, plain, suffix, command):
    """The file's bytes: as they are if they are packed already, unpacked, or packed now."""
    unpackers = {".xz": ["xz", "-dc"], ".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"]}
    if file.endswith(suffix) and (suffix or file == plain):
        return pathlib.Path(file).read_bytes()
    if file != plain:
        return run([*unpackers[pathlib.PurePath(file).suffix], file])
    return run([*command, file])


def run(argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
