"""BusyBox sh and qemu-ga as PID 1 of a guest: Debian's package, unpacked and never installed, with
the libraries that it needs, and the shortest script that starts it; and the talk that gets out of
it what CAPABILITIES says."""

import base64
import json
import re
import shutil
import subprocess

import paths

FOLDER = paths.LAB / "qemu-ga"
PORT = 1234

# As guestlink-init does it: three filesystems, then the modules that the handshake needs.
SCRIPT = f"""#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
[ ! -e /etc/guestlink/modules ] || while read -r module rest && [ "$module" != - ]; do
    insmod "$module"
done </etc/guestlink/modules
exec /usr/sbin/qemu-ga -m vsock-listen -p 4294967295:{PORT} -t /run
"""

# The facts that qemu-ga has a command for, and the files with the others.
COMMANDS = ("guest-info", "guest-get-osinfo", "guest-get-vcpus")
FILES = ("/proc/sys/kernel/random/boot_id", "/proc/filesystems", "/proc/meminfo", "/proc/cmdline",
         "/proc/self/environ", "/proc/sys/kernel/seccomp/actions_avail")
# A stock kernel has none of these, and qemu-ga nothing to read its log with.
POOL = ("/sys/bus/vmbus/drivers/hv_pci/swiotlb_base", "/sys/bus/vmbus/drivers/hv_pci/swiotlb_size")


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


def ask(stream, *questions):
    """Questions of QEMU's guest agent protocol, (command, arguments) each, all sent before the
    first answer is read: the fewest round trips. Returns the answers."""
    for command, arguments in questions:
        stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    stream.flush()
    answers = [json.loads(stream.readline()) for _ in questions]
    for question, answer in zip(questions, answers):
        if "return" not in answer:
            raise RuntimeError(f"qemu-ga: {question}: {answer}")
    return [answer["return"] for answer in answers]


def facts(stream, published):
    """Gets what CAPABILITIES says, in two round trips; the files' text by their names."""
    files = FILES + POOL if published else FILES
    opened = ask(stream, *((command, {}) for command in COMMANDS),
                 *(("guest-file-open", {"path": path}) for path in files))[len(COMMANDS):]
    read = ask(stream, *(("guest-file-read", {"handle": handle, "count": 16384})
                         for handle in opened))
    return {path: base64.b64decode(one["buf-b64"]).decode() for path, one in zip(files, read)}


def clock(stream):
    """The guest's CLOCK_REALTIME, in nanoseconds (it knows microseconds)."""
    return ask(stream, ("guest-get-time", {}))[0]
