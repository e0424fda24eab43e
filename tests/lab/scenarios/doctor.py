"""doctor and the daemon's log with real guests: nothing where nothing is wrong, else cause and step."""

import copy
import json
import os
import re

from guest import reconnecting
from hostd import adapter, share
from image import Image
from kernel import Kernel
from show import need
from wait import TimedOut, wait_for

PORT = "org.guestlink.0"
MAKE_IT = r"create it, or fix \"path\""
INSTALL_IT = "install it, or fix that path"
SHARE_MEMORY = "start QEMU with -object memory-backend-memfd,.*share=on"
ADD_PORT = "add -device pcie-root-port,id=rp9"
START_QEMU = "start QEMU with -qmp unix:"


def play(lab):
    guest, hostd = a_sound_machine(lab)
    a_wrong_configuration(lab, hostd)
    a_wrong_cid(lab, hostd)
    no_qemu(lab, guest, hostd)
    a_wrong_machine(lab)


def findings(lab, hostd, *words):
    """What doctor says of the one VM there is: its exit status, and a list."""
    status, text = lab.control(hostd, "--json", "doctor", *words)
    return status, json.loads(text)


def need_wrong(lab, hostd, wrong, *words):
    """doctor soon calls wrong just these checks: check -> words of the cause, of the next step."""
    last = []

    def as_wanted():
        last[:] = findings(lab, hostd, *words)
        return {one["check"] for one in last[1] if one["state"] == "wrong"} == set(wrong)
    try:
        wait_for("doctor", lab.seconds(20), as_wanted)
    except TimedOut as error:
        raise TimedOut(f"{error} says that {set(wrong) or 'nothing'} is wrong: {last}") from None
    need(last[0] == (1 if wrong else 0), f"doctor ended with status {last[0]}")
    for one in last[1]:
        if one["state"] == "wrong":
            cause, step = wrong[one["check"]]
            need(re.search(cause, one["text"]) and re.search(step, one["advice"]), one)
            lab.say(f"doctor: {one['check']}: {one['text']} -> {one['advice']}")


def need_logged(lab, hostd, what, cause, step):
    """The daemon's log has a line about that, with the cause and the next step."""
    def line():
        return next((line for line in hostd.log().splitlines() if what in line
                     and re.search(cause, line) and re.search(step, line)), None)
    try:
        lab.say(f"log: {wait_for(what, lab.seconds(20), line)}")
    except TimedOut:
        raise TimedOut(f"{what}: no line with /{cause}/ and /{step}/ in the log") from None


def reload(lab, hostd):
    hostd.write_config()
    status, words = lab.control(hostd, "reload")
    need(status == 0, f"reload: {status}: {words}")


def a_sound_machine(lab):
    guest, hostd = lab.serve("published")
    need_logged(lab, hostd, str(guest.qmp), "does not exist", START_QEMU)  # hostd was there first
    status, found = findings(lab, hostd)
    bad = [one for one in found if one["state"] not in ("right", "note")]
    need(status == 0 and not bad, f"doctor ended with status {status}: {bad}")
    # This QEMU is in no unit that would keep programs of the guest from this host.
    notes = {one["check"]: one for one in found if one["state"] == "note"}
    need("127.0.0.1" in notes["loopback"]["text"]
         and "guestlink-vm@" in notes.pop("loopback")["advice"], f"{notes}")
    # Nor need this host's kernel be able to confine a virtiofsd.
    if not os.path.exists("/dev/udmabuf"):
        need("/dev/udmabuf" in notes["udmabuf"]["text"]
             and "modprobe udmabuf" in notes.pop("udmabuf")["advice"], f"{notes}")
        need(re.search(r"virtiofsd of share c can reach [0-9.]+ MiB \+ \S+ KiB of \S+ MiB .*not "
                       "enforced.*udmabuf", notes.pop("aperture")["text"]), f"{notes}")
    notes.pop("files", None)  # where the machine lets a process have few
    need(not notes, f"{notes}")
    said = {one["check"] for one in found}
    need({"daemon", "vsock", "virtiofsd", "share", "qmp", "memory", "ports", "version",
          "allocation"} <= said, f"doctor looked at {said} alone")
    lab.say(f"doctor: all of {sorted(said)} is right")
    return guest, hostd


def a_wrong_configuration(lab, hostd):
    """A share without a folder, and a virtiofsd that is not there: told while the rest works."""
    vm = hostd.config["vms"][0]
    sound = copy.deepcopy(vm)
    gone = lab.folder / "gone"
    vm["shares"].append(share("gone", gone, "/mnt/gone"))
    gone.rmdir()
    reload(lab, hostd)
    need_logged(lab, hostd, "share gone", "does not exist on the host", MAKE_IT)
    need_wrong(lab, hostd, {
        "share": (f"{gone}: No such file", "create that directory, or fix \"path\""),
        "device": (f"share gone: its path {gone} does not exist", "fix that")})
    status, words = lab.control(hostd, "share", "add", "lab", "too", str(gone), "/mnt/too")
    need(status == 1 and f"{gone}\": No such file" in words and "nothing was added" in words,
         f"share add: {status}: {words}")
    lab.say(f"guestlinkctl share add: {words.strip()}")

    gone.mkdir()
    reload(lab, hostd)  # of the same words: what failed is tried again, as doctor says
    hostd.wait_event("MountShare", lab.seconds(20), tag="gone", error=0)
    need_wrong(lab, hostd, {})
    lab.say("the folder was made, and a reload mounts it")

    vm.clear()
    vm.update(copy.deepcopy(sound))
    vm["shares"].append(share("late", lab.folder / "late", "/mnt/late"))
    vm["device_host"]["virtiofsd"] = "/nonexistent/virtiofsd"
    reload(lab, hostd)
    need_logged(lab, hostd, "share late", "virtiofsd is not installed", INSTALL_IT)
    need_wrong(lab, hostd, {
        "virtiofsd": ("/nonexistent/virtiofsd: not an executable program", "install virtiofsd"),
        "device": ("share late: .*not installed", "fix that")})
    vm.clear()
    vm.update(sound)
    reload(lab, hostd)
    need_wrong(lab, hostd, {})
    lab.wait_counting()


def a_wrong_cid(lab, hostd):
    """Another CID than QEMU's; and no vsock device, where this machine has none."""
    other = copy.deepcopy(hostd.config)
    other["vms"][0].pop("socket", None)
    other["vms"][0]["cid"] = 7777
    other["listen"] = ["vsock::50000"]
    file = lab.folder / "other.json"
    file.write_text(json.dumps(other))
    wrong = {"cid": ("QEMU('s CID is| has no vsock device)", "guest-cid=7777, or fix \"cid\"")}
    if not os.path.exists("/dev/vhost-vsock"):
        wrong["vsock"] = ("/dev/vhost-vsock: No such file", "modprobe vhost_vsock")
    need_wrong(lab, hostd, wrong, "--config", str(file))


def no_qemu(lab, guest, hostd):
    """QEMU is killed, and its socket stays behind: a daemon that is started now says so."""
    guest.process.kill()
    guest.process.wait()
    need(hostd.process.stop(lab.seconds(10)) == 0, "hostd did not end with 0")
    need_wrong(lab, hostd, {"qmp": (f"{guest.qmp}: Connection refused", START_QEMU)},
               "--config", str(hostd.config_file))
    hostd.start()
    need_logged(lab, hostd, str(guest.qmp), "Connection refused", "is QEMU running[?]")
    need_wrong(lab, hostd, {"qmp": (f"{guest.qmp}: Connection refused", "start the VM|fix")})
    need(hostd.process.stop(lab.seconds(10)) == 0, "hostd did not end with 0")


def a_wrong_machine(lab):
    """Memory that is not shared, one port for two adapters, a pool for which there was no room.
    Without shared memory there is no vsock by vhost-user either: it calls by a virtio port."""
    call = lab.sockets / "call"
    image = Image(Kernel(), ["virtio_console"]).add_init()
    guest = lab.guest("wrong", "failed", f"guestlink.host=virtio-port:{PORT} guestlink.modules="
                      "virtio-pci,virtio_console,virtiofs,virtio_net", image=image, shared="off",
                      ports=1, vsock_device=False,
                      extra=["-device", "virtio-serial-pci",
                             "-chardev", f"socket,id=port,path={call},server=off,{reconnecting()}",
                             "-device", f"virtserialport,chardev=port,name={PORT}"])
    second = adapter(id="eth1", mac="52:54:00:12:34:57", address=["10.0.3.15/24"])
    del second["gateway"]
    hostd = lab.hostd([lab.usual_vm(guest, "wrong", network=[adapter(), second], socket=str(call),
                                    payload=["/bin/sleep", "1000"])]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60), vm="wrong")
    need_logged(lab, hostd, "share c", "shared guest memory", SHARE_MEMORY)
    need_logged(lab, hostd, "adapter eth", "no free PCIe root port", ADD_PORT)
    need_logged(lab, hostd, "vm wrong", "could not reserve its SWIOTLB pool",
                "give the VM more memory")
    need_wrong(lab, hostd, {
        "memory": ("does not share the (guest's memory|memory backend)", SHARE_MEMORY),
        "ports": ("1 PCIe root ports for 3 devices", ADD_PORT),
        "device": ("shared guest memory|no free PCIe root port", "fix that"),
        "allocation": ("could not reserve its SWIOTLB pool", "give the VM more memory")})
    lab.shut_down(hostd, guest, "wrong")
