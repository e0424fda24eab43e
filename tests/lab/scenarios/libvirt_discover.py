"""A VM that is in no hostd.json, but in a domain's metadata: added by virsh alone, changed, refused with the reason, taken away; a VM of hostd.json's is left alone."""

import json

import domain as domains
import libvirt
from hostd import adapter, share, vm_settings
from show import need
from wait import wait_for

NAMESPACE = "urn:guestlink:vm:1"


def play(lab):
    host = libvirt.here(lab)
    named = domains.of_lab(lab, host, "named")
    found = domains.of_lab(lab, host, "found")
    entry = vm_settings(found, "found", network=[adapter()],
                        shares=[share("c", lab.share_folder("found"), "/mnt/c")])
    for key in ("name", "id", "device_host"):  # the domain has them
        del entry[key]
    hostd = lab.hostd([vm_settings(named, "named", device_host=named.device_host())],
                      libvirt={"uri": host.uri, "discover": True}).start()
    need(vms(lab, hostd) == ["named"], f"{vms(lab, hostd)}")

    tell(host, entry)
    wait_for("the VM", lab.seconds(20), lambda: vms(lab, hostd) == ["found", "named"])
    for domain in (found, named):
        domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60), vm="found")
    hostd.wait_event("GuestReady", lab.seconds(60), vm="named")
    need(hostd.events("GuestReady", vm="found")[0]["vm_id"] == found.uuid, "it has not the domain's id")
    words = lab.run_in_guest(hostd, "found", "cat", "/mnt/c/from-host.txt")
    need(words == (0, "written on the host for found\n"), f"{words}")
    lab.say("added by virsh alone, and served")

    entry["shares"].append(share("more", lab.share_folder("more"), "/mnt/more"))
    tell(host, entry, "--live", "--config")
    hostd.wait_event("MountShare", lab.seconds(30), vm="found", tag="more", error=0)
    lab.say("a share more, by virsh alone")
    need_looked_at(lab, hostd)

    before = len(hostd.log())
    tell(host, {"shares": 7}, "--live", "--config")
    reason = wait_for("the reason", lab.seconds(20), lambda: [
        line for line in hostd.log()[before:].splitlines() if "shares" in line])
    need(lab.run_in_guest(hostd, "found", "cat", "/mnt/more/from-host.txt")[0] == 0,
         "a wrong element took the VM away")
    lab.say(f"a wrong element: {reason[0]}")

    hostd.process.kill()
    hostd.process.wait()
    tell(host, entry, "--live", "--config")
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2, vm="found")
    need(len(hostd.events("AddVirtioFsShare", vm="found", created=True)) == 2, "made twice")
    lab.say("the next daemon has it, too")

    host.ask("metadata", "found", NAMESPACE, "--live", "--config", "--remove")
    wait_for("the VM to go", lab.seconds(30), lambda: vms(lab, hostd) == ["named"])
    wait_for("its devices to go", lab.seconds(30), lambda: not found.aliases())
    lab.say("taken away by virsh alone")
    host.ask("destroy", "found")
    lab.shut_down(hostd, named, "named")


def need_looked_at(lab, hostd):
    """doctor looks at it as at a VM of the file: its domain, by that name, and its shares."""
    status, words = lab.control(hostd, "--json", "doctor", "found")
    found = [one for one in json.loads(words) if one["vm"] == "found"]
    right = " ".join(one["text"] for one in found if one["state"] == "right")
    need(status == 0 and all(text in right for text in ("libvirt has the domain found", "share c: ", "share more: ")),
         f"doctor: {status}: {words}")
    lab.say(f"doctor: {right}")


def tell(host, entry, *how):
    text = json.dumps(entry).replace("&", "&amp;").replace("<", "&lt;")
    host.ask("metadata", "found", NAMESPACE, *(how or ("--config",)), "--key", "guestlink", "--set",
             f"<vm>{text}</vm>")


def vms(lab, hostd):
    status, words = lab.control(hostd, "--json", "list")
    need(status == 0, words)
    return sorted(one["name"] for one in json.loads(words)["vms"])
