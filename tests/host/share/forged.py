"""A virtiofsd that lies to QEMU, and a QEMU that gives it more than it may have: what comes to the
one and to the other through the relay."""

import os
import socket
import struct

from share import need
from vhost_user import (GET_FEATURES, GET_PROTOCOL_FEATURES, GET_VRING_BASE, HIPRIO, MEMORY,
                        PROTOCOL_FEATURES, SET_FEATURES, SET_MEM_TABLE, SET_OWNER,
                        SET_PROTOCOL_FEATURES, USER_ADDRESS, VERSION_1, Frontend, Gone)

LIES = ["truth", "log-all", "all-features", "all-protocol-features", "unasked", "unasked-memory",
        "other-answer", "no-answer", "other-version", "short", "empty", "long", "short-base",
        "descriptor", "twice", "inflight", "iotlb", "config-change", "host-notifier",
        "vring-call", "vring-error", "object-add", "object-remove", "object-lookup", "shmem-map",
        "shmem-unmap", "not-there"]

LOG_ALL, ACCESS_PLATFORM = 1 << 26, 1 << 33
GET_INFLIGHT_FD = 31
# Of the protocol: what takes no descriptor, no memory and no logs along; and the connection on which a
# backend asks, whose end is the relay's: MQ, RARP, REPLY_ACK, MTU, BACKEND_REQ.
HARMLESS = 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5
# A device with a pool in the middle of the guest's memory.
OPTIONS = "swiotlb=0x200000,2097152;vmId=00000000-0000-4000-8000-000000000000"
# Requests of QEMU's that would give it memory, or a connection, in another way than the table.
WAYS = {"SET_LOG_BASE": (6, struct.pack("<QQ", 1 << 20, 0)), "SET_LOG_FD": (7, b""),
        "SET_BACKEND_REQ_FD": (21, b""), "POSTCOPY_ADVISE": (28, b""),
        "IOTLB_MSG": (22, struct.pack("<QQQBB6x", 0, MEMORY, USER_ADDRESS, 3, 2)),
        "SET_INFLIGHT_FD": (32, struct.pack("<QQHH4x", MEMORY, 0, 2, 128)),
        "ADD_MEM_REG": (37, struct.pack("<QQQQQ", 0, MEMORY, MEMORY, USER_ADDRESS + MEMORY, 0)),
        "SET_DEVICE_STATE_FD": (42, struct.pack("<II", 0, 0))}


class Ear(Frontend):
    """Hears messages as they come, with their descriptors."""

    def hear(self, seconds):
        """@return request, flags, payload, number of descriptors; None: nothing more comes"""
        self.socket.settimeout(seconds)
        data, count = b"", 0
        try:
            while len(data) < 12 or len(data) < 12 + struct.unpack_from("<I", data, 8)[0]:
                part, fds, _, _ = socket.recv_fds(self.socket, 1 if len(data) < 12 else 12 +
                                                  struct.unpack_from("<I", data, 8)[0] - len(data),
                                                  8)
                for fd in fds:
                    os.close(fd)
                count += len(fds)
                if not part:
                    return None
                data += part
        except OSError:
            return None
        request, flags, _ = struct.unpack_from("<III", data)
        return request, flags, data[12:], count


def converse(front, heard, name):
    """As QEMU begins with a device; what is heard goes there, with what had been asked."""
    def ask(request, payload=b"", fds=()):
        front.send(request, payload, fds)
        answer = front.hear(5)
        heard.append((request, answer))
        return struct.unpack("<Q", answer[2])[0] if answer and len(answer[2]) == 8 else 0

    features = ask(GET_FEATURES)
    front.send(SET_OWNER)
    ask(GET_PROTOCOL_FEATURES)
    front.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", HARMLESS))
    front.send(SET_FEATURES, struct.pack("<Q", features & (VERSION_1 | PROTOCOL_FEATURES |
                                                           ACCESS_PLATFORM)))
    front.send(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, MEMORY, USER_ADDRESS, 0), [front.file])
    front.start_vring(HIPRIO)
    ask(GET_VRING_BASE, struct.pack("<II", HIPRIO, 0))
    if name == "inflight":
        ask(GET_INFLIGHT_FD, struct.pack("<QQHH4x", 0, 0, 2, 128))
    while True:
        more = front.hear(0.2)
        if not more:
            return
        heard.append((None, more))


def reached(heard):
    """What of it QEMU must never hear."""
    wrong = []
    for asked, answer in heard:
        if not answer:
            continue
        request, flags, payload, descriptors = answer
        value = struct.unpack("<Q", payload)[0] if len(payload) == 8 else 0
        if descriptors:
            wrong.append(f"{descriptors} descriptors with {request}")
        if asked != request or flags != 5:
            wrong.append(f"request {request}, flags {flags:#x}, when asked {asked}")
        if request in (GET_FEATURES, GET_PROTOCOL_FEATURES, GET_VRING_BASE) and len(payload) != 8:
            wrong.append(f"{len(payload)} bytes to {request}")
        if request == GET_FEATURES and value & LOG_ALL:
            wrong.append("LOG_ALL")
        if request == GET_PROTOCOL_FEATURES and value & ~HARMLESS:
            wrong.append(f"protocol features {value:#x}")
    return wrong


def liar(scene, mode="auto"):
    return scene.serve(str(scene.build / "tests/host/share/forger"), device=(OPTIONS, mode))


def lie(scene, name):
    """@return what QEMU heard that it must not, and what the liar was sent"""
    scene.make()
    (scene.share / "lie").write_text(name)
    heard = []
    with liar(scene) as server:
        front = Ear(server.socket)
        try:
            converse(front, heard, name)
        except Gone:
            pass
        front.close()
    scene.check()
    sent = requests(scene)
    if name == "truth":  # all of it goes through
        need({GET_FEATURES, SET_MEM_TABLE, GET_VRING_BASE} <= set(sent), f"it was sent {sent}")
        need([asked for asked, answer in heard if answer] ==
             [GET_FEATURES, GET_PROTOCOL_FEATURES, GET_VRING_BASE], f"QEMU heard {heard}")
        need(struct.unpack("<Q", heard[0][1][2])[0] & ACCESS_PLATFORM, "QEMU was not offered bit 33")
    elif name != "inflight":  # where the question does not come through, neither does an answer
        need("lied" in sent, f"{name}: it was not told, or is none")
    return reached(heard)


def requests(scene):
    """What the liar was sent, and whether it lied."""
    first = [line.split()[0] for line in (scene.share / "forger.log").read_text().splitlines()]
    return [int(word) if word.isdecimal() else word for word in first]


def way(scene, request, payload):
    """@return whether the liar was sent that, or a descriptor with anything else than it may"""
    scene.make()
    (scene.share / "lie").write_text("truth")
    with liar(scene) as server:
        front = Ear(server.socket)
        heard = []
        try:
            converse(front, heard, "truth")
            front.send(request, payload, [front.file])
            front.hear(0.5)
        except Gone:
            pass
        front.close()
    scene.check()
    return request in requests(scene)


def required(scene):
    """Where the kernel cannot enforce an aperture that is required, there is no device."""
    scene.make()
    (scene.share / "lie").write_text("truth")
    with liar(scene, "require") as server:
        if not os.path.exists("/dev/udmabuf"):
            words = server.line()
            need("udmabuf" in words, f"it is served, or nobody says why it is not: {words}")
        else:  # this frontend's memory has no seal against shrinking
            front, heard = Ear(server.socket), []
            converse(front, heard, "truth")
            words = server.line()
            need("memory-backend-memfd" in words, f"not refused: {words}; QEMU heard {heard}")
            front.close()
    print(f"{required.__doc__} {words}", flush=True)


def play(scene):
    """Each lie and each way prints a line; the truth must reach QEMU."""
    required(scene)
    granted = []
    for name in LIES:
        wrong = lie(scene, name)
        granted += [name] if wrong else []
        print(f"attempt {name}: {'granted' if wrong else 'refused'} ({'; '.join(wrong)})", flush=True)
    for name, (request, payload) in WAYS.items():
        went = way(scene, request, payload)
        granted += [name] if went else []
        print(f"attempt {name}: {'granted' if went else 'refused'}", flush=True)
    need(not granted, f"through the relay came: {' '.join(granted)}")
