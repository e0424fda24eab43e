"""A guest made of nothing but bytes, for what no real guest would say."""

import socket
import struct
import time

MAGIC = b"GLNK"
CAPABILITIES, WELCOME = 1, 2
RELEASE = b"6.1.0-lab"


def frame(kind, payload, ident=1, flags=0, magic=MAGIC, length=None):
    header = struct.pack("<4sHHII", magic, kind, flags,
                         len(payload) if length is None else length, ident)
    return header + payload


def capabilities(major=1, minor=0, size=176, release=RELEASE, boot=b"\1" * 16, base=0, pool=0):
    """guest_capabilities, of the size that is asked for."""
    text = struct.pack("<IHHQQQQII16s64s32sQQ", size, major, minor, 1 | (16 if pool else 0),
                       base, pool, 512 << 20, 4096, 1, boot, release, b"lab", 1, 2)
    return text[:size] + b"\0" * (size - len(text))


class Peer:
    def __init__(self, path):
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(10)
        self._sock.connect(str(path))

    def send(self, data):
        self._sock.sendall(data)
        return self

    def receive(self):
        """The next frame's type, id and payload; None once the host has closed."""
        header = self._exactly(16)
        if header is None:
            return None
        _, kind, _, length, ident = struct.unpack("<4sHHII", header)
        return kind, ident, self._exactly(length) if length else b""

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                piece = self._sock.recv(size - len(data))
            except ConnectionResetError:
                return None
            if not piece:
                return None
            data += piece
        return data

    def welcome(self):
        """The status of the WELCOME that comes, or None if the host closes instead."""
        answer = self.receive()
        if answer is None:
            return None
        kind, _, payload = answer
        if kind != WELCOME:
            raise AssertionError(f"type {kind} came, not WELCOME")
        return struct.unpack_from("<I", payload, 8)[0]

    def seconds_until_closed(self):
        began = time.monotonic()
        while self.receive() is not None:
            pass
        return time.monotonic() - began

    def close(self):
        self._sock.close()
