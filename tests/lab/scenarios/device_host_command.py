"""A program of the operator's gives a guest its devices: once per operation, options verbatim, across restarts."""

import json
import pathlib

import device_host
from show import need


def play(lab):
    guest = lab.guest("lab")
    folder = lab.sockets / "command"
    folder.mkdir()
    program = {"type": "command", "argv": [str(pathlib.Path(device_host.__file__)),
                                           str(guest.own_qmp), str(folder)]}
    hostd = lab.hostd([lab.counting_vm(guest, device_host=program)]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.wait_counting()
    options = hostd.events("ApplyGuestCapabilities")[0]["token"]
    options += f";vmId={hostd.config['vms'][0]['id']}"
    calls = read(folder)
    need(sorted((call["verb"], call["name"]) for call in calls) ==
         [("add-net", "eth0"), ("add-share", "c")], f"{calls}")
    for call in calls:
        need(call["options"] == [options] and call["document"]["options"] == options,
             f"{options} is not what the program got: {call}")
    lab.say(f"share and adapter by the program, options {options}")

    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    lab.wait_counting()
    need(all(not event["created"] for event in hostd.events("AddVirtioFsShare")[1:]),
         "the share was made twice")
    lab.say("the next daemon's calls made nothing twice")

    status, words = lab.control(hostd, "share", "remove", "lab", "c")
    need(status == 0, f"share remove: {status}: {words}")
    need(read(folder)[-1]["verb"] == "remove-share", f"{read(folder)[-1]}")
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.shut_down(hostd, guest)


def read(folder):
    return [json.loads(line) for line in (folder / "calls").read_text().splitlines()]
