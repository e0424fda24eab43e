"""Shares in shares, of virtiofs and 9P: outermost first whatever the file's order, lost and mounted again together, none hides another; what is gone in the guest can be removed."""

import json
import pathlib
import shutil

import process
from hostd import share
from kernel import Kernel
from show import need
from wait import wait_for

NEEDS = "9p"
# tag -> where it is; innermost first, as the file has them, and as an operator may write paths.
TARGETS = {"deepest": "/mnt/n/m/i//d/", "inner": "/mnt//n/m/i", "middle": "/mnt/n/m/",
           "beside": "/mnt/nn", "outer": "//mnt/n"}
BELOW = {"outer": ("outer", "middle", "inner", "deepest"), "middle": ("middle", "inner", "deepest")}


def play(lab):
    if not shutil.which("diod"):
        lab.skip("diod is missing, which serves 9P")
    kind = "cloud" if Kernel("cloud").has("9p") else "full"
    guest = lab.guest("lab", "failed", kernel=kind)
    shares = [share(tag, lab.share_folder(tag), target,
                    transport="9p" if tag == "inner" else "auto")
              for tag, target in TARGETS.items()]
    hostd = lab.hostd([lab.usual_vm(guest, network=[], shares=shares)]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(90))
    need_all(lab, hostd, TARGETS)
    need_told(lab, hostd, "right", 3)
    lab.say("each is in the one around it, though the file has the innermost first")

    lost(lab, hostd, "outer")
    lost(lab, hostd, "middle")
    lost_without_a_daemon(lab, hostd, "middle")
    refused(lab, hostd)
    reloads(lab, hostd, shares)
    gone(lab, hostd, guest)
    made_again(lab, hostd)
    lab.shut_down(hostd, guest)


def need_all(lab, hostd, tags):
    """Each of them, and nothing else, is mounted and shows its own folder."""
    files = [f"{TARGETS[tag].rstrip('/')}/from-host.txt" for tag in tags]
    status, words = lab.run_in_guest(hostd, "lab", "cat", *files)
    need((status, words) == (0, "".join(f"written on the host for {tag}\n" for tag in tags)),
         f"the guest sees, of {list(tags)}: {status}: {words}")
    status, words = lab.run_in_guest(hostd, "lab", "grep", "-c", " /mnt/n", "/proc/mounts")
    need(int(words) == len(tags), f"{words.strip()} mounts for {list(tags)}")


def need_told(lab, hostd, state, count):
    status, words = lab.control(hostd, "--json", "doctor")
    found = [one for one in json.loads(words) if one["check"] == "nested"]
    need([one["state"] for one in found] == [state] * count, f"doctor: {status}: {found}")


def states(lab, hostd):
    status, words = lab.control(hostd, "--json", "show", "lab")
    need(status == 0, f"show: {status}: {words}")
    return {one["tag"]: (one["state"], one["error"]) for one in json.loads(words)["shares"]}


def wait_in_use(lab, hostd, tags):
    wait_for(f"{list(tags)} to be in use, and nothing else to be there", lab.seconds(30),
             lambda: states(lab, hostd) == {tag: ("in-use", "") for tag in tags})


def servers(lab, tag):
    return process.pids_with(str(lab.folder / "shares" / tag))


def lost(lab, hostd, tag):
    """Its virtiofsd is killed: it and all below it is told to be lost, and comes again."""
    before = {one: len(hostd.failures("share")) for one in BELOW[tag]}
    for pid in servers(lab, tag):
        process.kill_pid(pid)
    wait_for("all to be told lost", lab.seconds(20), lambda: {
        event["device"] for event in hostd.failures("share")[before[tag]:]
        if event["phase"] == "serve"} >= set(BELOW[tag]))
    wait_in_use(lab, hostd, TARGETS)
    need_all(lab, hostd, TARGETS)
    lab.say(f"{tag} was lost, and with it {BELOW[tag][1:]}; all are mounted again in order")


def lost_without_a_daemon(lab, hostd, tag):
    hostd.process.kill()
    hostd.process.wait()
    for pid in servers(lab, tag):
        process.kill_pid(pid)
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(30), count=2)
    wait_in_use(lab, hostd, TARGETS)
    need_all(lab, hostd, TARGETS)
    lab.say(f"{tag} was lost while there was no daemon; the next one mounts all again in order")


def refused(lab, hostd):
    for words, reason in (
            (("add", "lab", "above", str(lab.share_folder("above")), "/mnt"), "would hide"),
            (("add", "lab", "twin", str(lab.share_folder("twin")), "/mnt//nn/"), "already used"),
            (("remove", "lab", "outer"), "is mounted inside")):
        status, said = lab.control(hostd, "share", *words)
        need(status == 1 and reason in said, f"share {words}: {status}: {said}")
        lab.say(f"share {words[0]}: {said.strip()}")
    wait_in_use(lab, hostd, TARGETS)
    need_all(lab, hostd, TARGETS)


def reloads(lab, hostd, shares):
    """All are taken away, come again one by one from the inside, the middle one goes."""
    vm = hostd.config["vms"][0]
    for tags in ((), ("deepest",), ("deepest", "middle"), ("deepest", "middle", "outer", "inner"),
                 ("deepest", "outer"), ()):
        vm["shares"] = [one for one in shares if one["tag"] in tags]
        hostd.reload()
        wait_in_use(lab, hostd, tags)
        need_all(lab, hostd, tags)
    failed = [event for event in hostd.failures("share")
              if event["phase"] != "serve" and event["device"] != "above"]
    need(not failed, f"{failed}")
    lab.say("reloads took them away and gave them back in every order")
    add(lab, hostd, "inner")
    held = lab.folder / "held"
    holder = process.Process("exec", hostd.ctl("exec", "lab", "--", "sh", "-c",
                                               "cd /mnt/n/m/i && echo held && exec sleep 1000"), held)
    wait_for("a program in the share", lab.seconds(10), lambda: "held" in held.read_text())
    vm["shares"] = [one for one in shares if one["tag"] == "outer"]
    hostd.reload()
    wait_for("the outer one to be refused", lab.seconds(20),
             lambda: "share inner, which is mounted below" in states(lab, hostd)["outer"][1])
    need(states(lab, hostd)["inner"] == ("in-use", ""), f"{states(lab, hostd)}")
    need_all(lab, hostd, ("inner",))
    lab.say(f"above one in use: {states(lab, hostd)['outer'][1]}")
    holder.kill()
    vm["shares"] = []
    hostd.reload()
    wait_in_use(lab, hostd, ("inner",))
    wait_for("the share to be removed", lab.seconds(20),
             lambda: lab.control(hostd, "share", "remove", "lab", "inner")[0] == 0)


def add(lab, hostd, tag):
    status, words = lab.control(hostd, "share", "add", "lab", tag, str(lab.folder / "shares" / tag),
                                TARGETS[tag])
    need(status == 0, f"share add {tag}: {status}: {words}")


def gone(lab, hostd, guest):
    """What somebody in the guest, or at QEMU, did to a share does not keep it from being removed."""
    target = TARGETS["outer"].replace("//", "/")
    for what, words in (("was unmounted", f"umount {target}"),
                        ("has no target", f"umount {target}; rm -r {target}"),
                        ("has no parent", f"umount {target}; rm -r /mnt"),
                        ("has a file for a target", f"umount {target}; rmdir {target}; touch {target}"),
                        ("has a link for a target", f"umount {target}; rmdir {target}; ln -s / {target}"),
                        ("has no device", None)):
        add(lab, hostd, "outer")
        if words:
            status, said = lab.run_in_guest(hostd, "lab", "sh", "-c", words)
            need(status == 0, f"{words}: {status}: {said}")
        else:
            guest.ask_qemu("device_del", id="guestlink-fs-outer")
        status, said = lab.control(hostd, "share", "remove", "lab", "outer")
        need(status == 0, f"share remove of one that {what}: {status}: {said}")
        need("outer" not in states(lab, hostd), f"{what}: {states(lab, hostd)}")
        lab.run_in_guest(hostd, "lab", "sh", "-c", f"rm -f {target}; mkdir -p {target}")
    folder = lab.folder / "shares/outer"
    need(pathlib.Path(folder / "from-host.txt").exists(), "the host's file is gone")
    lab.say("what was gone already is removed as well")


def made_again(lab, hostd):
    """A host's folder is removed and made again under a mounted share, of either transport."""
    for transport in ("virtiofs", "9p"):
        folder = lab.share_folder(f"again-{transport}")
        for words in (("share", "add", "lab", "again", str(folder), "/mnt/again", "--transport",
                       transport),):
            status, said = lab.control(hostd, *words)
            need(status == 0, f"share add: {status}: {said}")
        need(states(lab, hostd)["again"] == ("in-use", ""), f"{states(lab, hostd)}")
        shutil.rmtree(folder)
        need("was removed on the host" in states(lab, hostd)["again"][1], f"{states(lab, hostd)}")
        (lab.folder / "between").mkdir(exist_ok=True)  # takes the number that became free
        lab.share_folder(f"again-{transport}")
        need("created again" in states(lab, hostd)["again"][1], f"{states(lab, hostd)}")
        if transport == "virtiofs":
            hostd.process.kill()
            hostd.process.wait()
            hostd.start()
            wait_for("the next daemon to see it", lab.seconds(30),
                     lambda: "created again" in states(lab, hostd).get("again", ("", ""))[1])
        status, words = lab.control(hostd, "--json", "list")
        need("created again" in words, f"list: {status}: {words}")
        status, words = lab.control(hostd, "--json", "doctor")
        need([one for one in json.loads(words) if one["check"] == "folder"
              and one["state"] == "wrong" and "created again" in one["text"]], f"doctor: {words}")
        for words in (("remove", "lab", "again"),
                      ("add", "lab", "again", str(folder), "/mnt/again", "--transport", transport)):
            status, said = lab.control(hostd, "share", *words)
            need(status == 0, f"share {words[0]}: {status}: {said}")
        need(states(lab, hostd)["again"] == ("in-use", ""), f"{states(lab, hostd)}")
        status, words = lab.run_in_guest(hostd, "lab", "cat", "/mnt/again/from-host.txt")
        need((status, words) == (0, f"written on the host for again-{transport}\n"), words)
        need(lab.control(hostd, "share", "remove", "lab", "again")[0] == 0, "share remove")
        lab.say(f"a folder that was made again under a {transport} share is told")
