"""State that is cut at every byte, garbage or no file: set aside, said, never trusted, never fatal."""

import json
import os

from hostd import vm_settings
from show import need
from wait import wait_for

# What a guest's own document is replaced by, between two daemons.
DAMAGE = {
    "cut in the middle": lambda text: text[:len(text) // 2],
    "empty": lambda text: b"",
    "another kind": lambda text: b"[1, 2, 3]\n",
    "every value of another type": lambda text: json.dumps(
        {key: [{"a": None}] if not isinstance(value, list) else "no" for key, value in
         json.loads(text).items()}).encode(),
    "other bytes": lambda text: bytes(byte ^ 0x5a for byte in text),
}


def play(lab):
    guest, hostd = lab.serve()
    (state,) = (lab.sockets / "state/vms").glob("*.json")
    wait_for("the state of a guest that is ready", lab.seconds(10),
             lambda: json.loads(state.read_text()).get("ready"))
    for number, (name, damage) in enumerate(DAMAGE.items(), 2):
        hostd.process.kill()
        hostd.process.wait()
        state.write_bytes(damage(state.read_bytes()))
        hostd.start()
        hostd.wait_event("GuestReady", lab.seconds(60), count=number)
        lab.wait_counting()
        lab.need_alive(hostd)
        lab.say(f"{name}: the next daemon has the guest and its share")
    need("cannot write" not in guest.console(), "the payload saw an I/O error")
    text = state.read_bytes()
    lab.shut_down(hostd, guest)
    hostd.process.stop()
    every_byte(lab, guest, text)


def every_byte(lab, guest, text):
    """One daemon with as many VMs as the document has bytes: each VM's is cut at another one."""
    folder = lab.sockets / "cut/vms"
    folder.mkdir(parents=True)
    vms = []
    for size in range(len(text)):
        name = f"cut{size}"
        vms.append(vm_settings(guest, name, device_host={"type": "none"},
                               socket=str(lab.sockets / f"{name}.sock"), networking="none"))
        (folder / f"{vms[-1]['id']}.json").write_bytes(text[:size])
    strange(folder, vms)
    hostd = lab.hostd(vms, state_dir=str(folder.parent))
    hostd.log_file.unlink()
    hostd.start()
    status, words = lab.control(hostd, "list")
    need(status == 0 and len(words.splitlines()) >= len(vms), f"list: {status}: {words[-200:]}")
    aside = len([name for name in os.listdir(folder) if ".bad-" in name])
    told = hostd.log().count("renamed it to")
    need(aside == told >= len(vms) - 1, f"{len(vms)} bad documents, {aside} set aside, {told} told")
    need(hostd.process.stop(lab.seconds(20)) == 0, "hostd did not end well")
    lab.say(f"cut at each of {len(text)} bytes: {aside} set aside and told")


def strange(folder, vms):
    """In the place of the last documents: what is no file."""
    places = [folder / f"{vm['id']}.json" for vm in vms[-3:]]
    for place in places:
        place.unlink()
    places[0].mkdir()
    os.mkfifo(places[1])
    places[2].symlink_to("/dev/zero")
