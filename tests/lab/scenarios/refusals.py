"""What no sound guest says: refused by status or closed, told in telemetry, and nobody else suffers."""

import time
import uuid

from peer import CAPABILITIES, Peer, capabilities, frame
from show import need

TIMEOUT_MS = 1500

# What is sent, the status of the WELCOME that comes (None: closed without one), and what.
TABLE = [
    ("another major version", frame(CAPABILITIES, capabilities(major=2)), 1),
    ("a later minor version, a longer struct", frame(CAPABILITIES, capabilities(minor=7, size=200)),
     0),
    ("a release that does not end", frame(CAPABILITIES, capabilities(release=b"x" * 64)), 3),
    ("a release with a control character", frame(CAPABILITIES, capabilities(release=b"6\x1b[31m")),
     3),
    ("a wrong magic", frame(CAPABILITIES, capabilities(), magic=b"HTTP"), None),
    ("a length over the limit", frame(CAPABILITIES, b"", length=65537), None),
    ("a struct_size of 7", frame(CAPABILITIES, b"\7\0\0\0" + b"\0" * 172), None),
    ("a struct_size beyond the payload", frame(CAPABILITIES, capabilities()[:100]), None),
    ("another first frame", frame(33, b"\x28\0\0\0" + b"\0" * 36), None),
    ("capabilities without an id", frame(CAPABILITIES, capabilities(), ident=0), None),
    ("capabilities as an answer", frame(CAPABILITIES, capabilities(), flags=1), None),
]


def vm(lab, name):
    return {"name": name, "id": str(uuid.uuid5(uuid.NAMESPACE_DNS, name)),
            "socket": str(lab.sockets / f"{name}.sock"), "memory": "512M", "swiotlb": "off",
            "networking": "none", "device_host": {"type": "none"}}


def play(lab):
    hostd = lab.hostd([vm(lab, "bad"), vm(lab, "good")], listen=[],
                      handshake_timeout_ms=TIMEOUT_MS).start()
    good = Peer(lab.sockets / "good.sock").send(frame(CAPABILITIES, capabilities()))
    need(good.welcome() == 0, "the sound peer was refused")
    for what, sent, status in TABLE:
        told = len(hostd.events("ProtocolError", vm="bad"))
        peer = Peer(lab.sockets / "bad.sock").send(sent)
        got = peer.welcome()
        need(got == status, f"{what}: status {got} instead of {status}")
        if status != 0:
            need(peer.seconds_until_closed() < 5, f"{what}: not closed")
        peer.close()
        if status is None:
            event = hostd.wait_event("ProtocolError", 5, count=told + 1, vm="bad")
            lab.say(f"{what}: closed; telemetry: {event['reason']}")
        else:
            lab.say(f"{what}: status {status}")

    drip(lab, hostd)
    silence(lab, hostd)
    need(hostd.process.alive(), "hostd ended")
    need(not hostd.events("GuestDisconnected", vm="good"), "the sound peer was disconnected")
    need(hostd.process.stop(10) == 0, "hostd did not end with 0")


def drip(lab, hostd):
    """One byte every now and then does not extend the time for the handshake."""
    peer = Peer(lab.sockets / "bad.sock")
    began = time.monotonic()
    try:
        for byte in frame(CAPABILITIES, capabilities()):
            peer.send(bytes([byte]))
            time.sleep(0.1)
            if time.monotonic() - began > 5:
                break
    except (BrokenPipeError, ConnectionResetError):
        pass
    waited = time.monotonic() - began
    need(1 < waited < 4, f"a slow drip was closed after {waited:.1f} s, given {TIMEOUT_MS} ms")
    hostd.wait_event("HandshakeTimeout", 5, vm="bad")
    lab.say(f"a slow drip: closed after {waited:.1f} s")


def silence(lab, hostd):
    told = len(hostd.events("HandshakeTimeout", vm="bad"))
    waited = Peer(lab.sockets / "bad.sock").seconds_until_closed()
    need(1 < waited < 4, f"silence was closed after {waited:.1f} s, given {TIMEOUT_MS} ms")
    hostd.wait_event("HandshakeTimeout", 5, count=told + 1, vm="bad")
    lab.say(f"silence: closed after {waited:.1f} s")
