#!/usr/bin/python3
"""A device host of type `command`: gives a guest of the lab its devices by QMP.

    device_host.py QMP FOLDER add-share|remove-share|add-net|remove-net NAME [OPTIONS]

FOLDER: for virtiofsd's sockets, and for `calls`, a line of JSON for each call."""

import json
import pathlib
import subprocess
import sys

import qmp
from hostd import virtiofsd
from wait import patient, wait_for

DRIVERS = {"share": "vhost-user-fs-pci", "net": "virtio-net-pci"}


def add_share(socket, folder, name, document):
    path = folder / f"{name}.fs"
    path.unlink(missing_ok=True)
    # It outlives this program, which QEMU's device does, too.
    subprocess.Popen([virtiofsd(), f"--socket-path={path}", "-o",
                      f"source={document['share']['path']}"], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)
    wait_for("virtiofsd", patient(10), path.exists)
    address = {"type": "unix", "data": {"path": str(path)}}
    qmp.execute(socket, "chardev-add", id=f"c-{name}",
                backend={"type": "socket", "data": {"addr": address, "server": False}})
    qmp.execute(socket, "device_add", driver=DRIVERS["share"], id=f"share-{name}",
                chardev=f"c-{name}", tag=name, bus="rp1")


def add_net(socket, name, document):
    qmp.execute(socket, "netdev_add", type="user", id=f"n-{name}")
    qmp.execute(socket, "device_add", driver=DRIVERS["net"], id=f"net-{name}", bus="rp2",
                netdev=f"n-{name}", mac=document["adapter"]["mac"])


def main():
    socket, folder, verb, name, *options = sys.argv[1:]
    folder = pathlib.Path(folder)
    document = json.load(sys.stdin)
    with open(folder / "calls", "a", encoding="utf-8") as calls:
        calls.write(json.dumps({"verb": verb, "name": name, "options": options,
                                "document": document}) + "\n")
    what = verb.split("-")[1]
    there = [entry["name"] for entry in qmp.execute(socket, "qom-list", path="/machine/peripheral")]
    created = f"{what}-{name}" not in there
    if verb == "add-share" and created:
        add_share(socket, folder, name, document)
    elif verb == "add-net" and created:
        add_net(socket, name, document)
    elif verb.startswith("remove-") and not created:
        qmp.execute(socket, "device_del", id=f"{what}-{name}")
    print(json.dumps({"ok": True, "created": created}))


if __name__ == "__main__":
    main()
