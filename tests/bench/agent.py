"""BusyBox sh and qemu-ga as PID 1 of a guest: Debian's package, unpacked and never installed, with
the libraries that it needs, and the shortest script that starts it."""

import re
import shutil
import subprocess

import paths
from boots import AGENT_PORT

FOLDER = paths.LAB / "qemu-ga"

# As guestlink-init does it: three filesystems, then the modules that the handshake needs.
SCRIPT = f"""#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module rest && [ "$module" != - ]; do
    case $module in /*) insmod "$module" ;; esac
done </etc/guestlink/modules
exec /usr/sbin/qemu-ga -m vsock-listen -p 4294967295:{AGENT_PORT} -t /run
"""


def unpacked():
    """The folder with Debian's package and what it depends on; fetched once."""
    root = FOLDER / "root"
    if (FOLDER / "complete").exists():
        return root
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    depends = subprocess.run(["apt-cache", "depends", "--important", "qemu-guest-agent"],
                             stdout=subprocess.PIPE, text=True, check=True).stdout
    names = [name for name in re.findall(r"\| ?Depends: (\S+)|  Depends: (\S+)", depends)]
    names = [one or other for one, other in names]
    subprocess.run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root",
                    "qemu-guest-agent", *names], cwd=FOLDER, check=True)
    for package in FOLDER.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    (FOLDER / "complete").touch()
    return root


def libraries(program, root):
    """The files that a program is linked with: the package's own, else this machine's."""
    places = ":".join(str(place) for place in (root / "usr/lib/x86_64-linux-gnu",
                                               root / "lib/x86_64-linux-gnu"))
    listed = subprocess.run(["ldd", program], env={"LD_LIBRARY_PATH": places},
                            stdout=subprocess.PIPE, text=True, check=True).stdout
    if "not found" in listed:
        raise FileNotFoundError(f"qemu-ga: a library is missing:\n{listed}")
    found = re.findall(r"(?:(\S+) => )?(/\S+) \(", listed)
    return {name or path: path for name, path in found}


def add(image):
    """Lays it all over an image; returns the path of the script that is to be PID 1."""
    root = unpacked()
    program = root / "usr/sbin/qemu-ga"
    image.add_program("/usr/sbin/qemu-ga", program)
    for name, path in libraries(program, root).items():
        image.add_program(name if name.startswith("/") else f"/lib/x86_64-linux-gnu/{name}", path)
    image.archive.add_directory("/run")
    image.archive.add_directory("/var/run")
    image.add_script("/sbin/qga-init", SCRIPT)
    return "/sbin/qga-init"
