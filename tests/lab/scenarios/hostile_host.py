"""A host that sends any bytes at all: PID 1 hangs up, calls again, and serves the sound host."""

import os
import random
import struct

import payload
from listener import calls
from show import need

CONNECTIONS = 9  # PID 1 waits longer before each
WELCOME = struct.pack("<4sHHII", b"GLNK", 2, 1, 14, 1) + struct.pack("<IHHIH", 14, 1, 0, 0, 0)


def garbage(source, number):
    """Bytes of one connection: before the WELCOME, after it, or in the shape of frames."""
    shape = number % 3
    if shape == 0:
        return source.randbytes(source.randrange(1, 4096))
    frames = b""
    while shape == 2 and len(frames) < 2000:
        kind = source.choice((3, 16, 17, 18, 19, 20, 22, 24, 25, 26, 99))
        body = source.randbytes(source.randrange(0, 200))
        if len(body) > 8:
            body = struct.pack("<I", source.randrange(8, len(body))) + body[4:]
        frames += struct.pack("<4sHHII", b"GLNK", kind, 0, len(body), source.randrange(5)) + body
    return WELCOME + (frames or source.randbytes(300))


def play(lab):
    seed = int(os.environ.get("LAB_SEED", "1"))
    source = random.Random(seed)
    guest = lab.guest("lab", "failed")
    with calls(guest) as listener:
        guest.start()
        for number in range(CONNECTIONS):
            listener.settimeout(lab.seconds(60))
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(lab.seconds(10))
                got = peer.recv(192)
                need(got[:4] == b"GLNK", f"connection {number}: {got[:16]!r} came")
                try:
                    peer.sendall(garbage(source, number))
                    peer.settimeout(0.3)
                    while peer.recv(65536):
                        pass
                except OSError:
                    continue
    lab.say(f"{CONNECTIONS} connections with garbage, seed {seed}")
    settings = lab.usual_vm(guest, payload=["/bin/sh", "-c", payload.COUNTING])
    hostd = lab.hostd([settings]).start()
    hostd.wait_event("GuestReady", lab.seconds(90))
    lab.wait_counting()
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)
