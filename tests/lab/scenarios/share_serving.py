"""How a share is served, by each kind of virtiofsd: ids that are mapped, attributes, files by their handles where few descriptors may be open; what one cannot do is refused, or said."""

import json
import os
import re
import subprocess

from hostd import share
from show import need
from spy import programs
from wait import wait_for

FILES = 700
# As a service's hard limit that nobody in it may raise.
FEW_DESCRIPTORS = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource",
                   "prlimit", "--nofile=1000:1000"]
# The lab's guests have no setfattr.
SET_ATTRIBUTE = """
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
int main(int argc, char **argv)
{
    char value[64] = "";
    int r = argc == 4 ? setxattr(argv[1], argv[2], argv[3], strlen(argv[3]), 0)
                      : (int)getxattr(argv[1], argv[2], value, sizeof(value) - 1);
    puts(r < 0 ? strerror(errno) : value);
    return r < 0;
}
"""


def play(lab):
    if "Rust" not in programs():
        lab.skip("the virtiofsd in Rust is missing")
    guest = lab.guest("lab", "failed", ports=10)
    many = lab.share_folder("many")
    for number in range(FILES):
        (many / f"f{number}").touch()
    shares = [share("map", lab.share_folder("map"), "/mnt/map", map_uid="0:1234:1",
                    map_gid=["0:1235:1", "100:1300:10"]),
              share("attr", lab.share_folder("attr"), "/mnt/attr", xattr=True, posix_acl=True),
              share("few", many, "/mnt/few"),
              share("many", many, "/mnt/many", file_handles=True, cache="never")]
    vm = lab.usual_vm(guest, network=[], shares=shares)
    vm["device_host"]["virtiofsd"] = str(programs()["Rust"])
    hostd = lab.hostd([vm], within=FEW_DESCRIPTORS).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    need(not hostd.failures(), f"{hostd.failures()}")
    ids(lab, hostd)
    attributes(lab, hostd)
    handles(lab, hostd)
    if "C" in programs():
        in_c(lab, hostd, vm)
    lab.shut_down(hostd, guest)


def ids(lab, hostd):
    status, words = lab.run_in_guest(
        hostd, "lab", "sh", "-c", "cd /mnt/map && touch zero && touch other && chown 7:105 other && "
        "stat -c %u:%g zero other from-host.txt")
    need((status, words) == (0, "0:0\n7:105\n0:0\n"), f"owners in the guest: {status}: {words}")
    owners = [(status.st_uid, status.st_gid) for status in
              (os.stat(lab.folder / "shares/map" / name) for name in ("zero", "other"))]
    need(owners == [(1234, 1235), (7, 1305)], f"owners on the host: {owners}")
    lab.say(f"root of the guest and user 7 are {owners} on the host")


def attributes(lab, hostd):
    folder = lab.folder / "shares/attr"
    subprocess.run(["gcc", "-static", "-x", "c", "-o", folder / "attribute", "-"], text=True,
                   input=SET_ATTRIBUTE, check=True)
    os.setxattr(folder / "from-host.txt", "user.word", b"said on the host")
    program = "/mnt/attr/attribute"
    status, words = lab.run_in_guest(hostd, "lab", program, "/mnt/attr/from-host.txt", "user.word")
    need((status, words) == (0, "said on the host\n"), f"getxattr: {status}: {words}")
    status, words = lab.run_in_guest(hostd, "lab", program, "/mnt/attr/from-host.txt", "user.reply",
                                     "heard")
    need(status == 0 and os.getxattr(folder / "from-host.txt", "user.reply") == b"heard",
         f"setxattr: {status}: {words}")
    status, words = lab.run_in_guest(hostd, "lab", program, "/mnt/map/zero", "user.x", "y")
    need(status == 1 and "not supported" in words, f"without xattr: {status}: {words}")
    for name in ("security.capability", "trusted.x"):
        status, words = lab.run_in_guest(hostd, "lab", program, "/mnt/attr/from-host.txt", name, "y")
        need(status == 1, f"{name} was set: {words}")
    lab.say("an extended attribute arrives where the share has them, and nowhere else")


def handles(lab, hostd):
    for target, works in (("few", False), ("many", True)):
        status, words = lab.run_in_guest(hostd, "lab", "sh", "-c",
                                         f"cd /mnt/{target} && stat -c %n f[0-9]* | wc -l")
        need((int(re.findall(r"\d+", words)[-1]) == FILES) == works,
             f"{FILES} files of {target}: {status}: {words[-200:]}")
    status, words = lab.control(hostd, "--json", "doctor")
    found = [one["text"] for one in json.loads(words) if one["check"] == "files"]
    need([text for text in found if "share few" in text and "of at most 1000 files open" in text]
         and not [text for text in found if "share many" in text], f"doctor: {found}")
    lab.say(f"doctor: {found}")
    lab.say(f"{FILES} files are known to the guest, by handles")


def in_c(lab, hostd, vm):
    """QEMU's own: what would be other files is refused, with the reason; the rest is said."""
    vm["device_host"]["virtiofsd"] = str(programs()["C"])
    for one in vm["shares"]:
        one["tag"] += "-c"
        one["target"] += "-c"
    hostd.reload()
    failure = hostd.wait_failure(lab.seconds(30), "share")
    need(failure["device"] == "map-c" and "cannot map user and group IDs" in failure["text"],
         f"{failure}")
    event = hostd.wait_event("AddVirtioFsShare", lab.seconds(30), tag="many-c")
    need("does not support file handles" in event["text"], f"{event}")
    wait_for("the others", lab.seconds(30), lambda: len(
        [e for e in hostd.events("MountShare", error=0) if e["tag"].endswith("-c")]) == 3)
    status, words = lab.control(hostd, "--json", "doctor")
    need(status == 1 and "cannot map user and group IDs" in words
         and "does not support file handles" in words, f"doctor: {status}: {words}")
    lab.say(f"QEMU's own: {failure['text']}; {event['text']}")
