"""A wrong configuration: exit 2 and file, line and key on stderr; a bad swiotlb is only a warning."""

import json
import subprocess

import paths
from show import need

VM = {"name": "dev", "id": "7f0c9a3e-52cd-4a51-8f9c-1a4c9d0e6b11", "socket": "/tmp/dev.sock",
      "memory": "2G"}

# What is changed in the VM, the exit status, and what stderr names.
TABLE = [
    ({}, 0, []),
    ({"swiotlb": "64 apples"}, 0, ["swiotlb", "64 apples"]),
    ({"swiotlb": "0x14000000,67108864"}, 0, ["swiotlb"]),
    ({"virtio": False, "networking": "virtioproxy"}, 0, ["networking"]),
    ({"colour": "red"}, 2, ["colour"]),
    ({"memory": True}, 2, ["memory"]),
    ({"shares": [{"tag": "a;b", "path": "/srv", "target": "/mnt"}]}, 2, ["tag"]),
    ({"shares": [{"tag": "a", "path": "/srv\n", "target": "/mnt"}]}, 2, ["path"]),
    ({"id": "no-uuid"}, 2, ["id"]),
]


def play(lab):
    file = lab.folder / "hostd.json"
    for change, status, names in TABLE:
        file.write_text(json.dumps({"state_dir": str(lab.sockets), "vms": [{**VM, **change}]},
                                   indent=2))
        check(lab, file, change, status, names)
    file.write_text('{\n  "vms": [\n    {,}\n  ]\n}\n')
    check(lab, file, "a syntax error in line 3", 2, [":3"])
    missing = lab.folder / "missing.json"
    check(lab, missing, "no such file", 2, [])


def check(lab, file, what, status, names):
    ended = subprocess.run([paths.program("guestlink-hostd"), "--config", file, "--check-config"],
                           capture_output=True, text=True, timeout=lab.seconds(20), check=False)
    lab.say(f"{what}: {ended.returncode}: {ended.stderr.strip()}")
    need(ended.returncode == status, f"{what}: ended with {ended.returncode} instead of {status}")
    if status or names:
        for name in [str(file), *names]:
            need(name in ended.stderr, f"{what}: stderr does not name {name}: {ended.stderr}")
