"""A network of a scenario's own: a namespace, and a peer of QEMU's `stream` netdev in Python."""

import ctypes
import os
import socket
import struct
import subprocess
import threading

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

ARP, IPV4, ICMP = 0x0806, 0x0800, 1


class Namespace:
    """A network namespace with `lo`, which has 10.0.6.2 too, a bridge at an address, and a tap device
    on that bridge."""

    def __init__(self, name, bridge_address):
        self.name = name
        self.within = ["nsenter", f"--net=/run/netns/{name}"]
        subprocess.run(["ip", "netns", "add", name], check=True)
        for words in ("link set lo up", "address add 10.0.6.2/32 dev lo", "link add br0 type bridge",
                      f"address add {bridge_address} dev br0", "link set br0 up",
                      "route add default dev br0", "tuntap add dev tap0 mode tap",
                      "link set tap0 master br0 up"):
            subprocess.run(["ip", "-n", name, *words.split()], check=True)

    def call(self, function, *arguments):
        """Calls a function in there, in this thread: a socket that it makes stays in there."""
        with open("/proc/thread-self/ns/net", "rb") as own, \
                open(f"/run/netns/{self.name}", "rb") as other:
            self._enter(other)
            try:
                return function(*arguments)
            finally:
                self._enter(own)

    @staticmethod
    def _enter(file):
        if _libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def remove(self):
        subprocess.run(["ip", "netns", "delete", self.name], check=False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()


class StreamPeer:
    """The other end of a `stream` netdev: has one address, answers ARP and pings.

    A frame on such a socket is its length, 4 bytes big-endian, and its bytes."""

    MAC = bytes.fromhex("525400abcdef")

    def __init__(self, path, address):
        self._address = socket.inet_aton(address)
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.bind(str(path))
        self._sock.listen()
        self.pings = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            qemu, _ = self._sock.accept()
            with qemu, qemu.makefile("rb") as stream:
                while len(size := stream.read(4)) == 4:
                    answer = self._answer(stream.read(*struct.unpack(">I", size)))
                    if answer:
                        qemu.sendall(struct.pack(">I", len(answer)) + answer)

    def _answer(self, frame):
        kind = struct.unpack(">H", frame[12:14])[0]
        ethernet = frame[6:12] + self.MAC + frame[12:14]
        if kind == ARP and frame[20:22] == b"\0\1" and frame[38:42] == self._address:
            return ethernet + frame[14:20] + b"\0\2" + self.MAC + frame[38:42] + frame[22:32]
        if kind == IPV4 and frame[23] == ICMP and frame[30:34] == self._address and frame[34] == 8:
            self.pings += 1
            # An answer differs by its type; addresses change sides, which no checksum minds.
            checksum = struct.unpack(">H", frame[36:38])[0] + 0x0800
            checksum = struct.pack(">H", (checksum & 0xffff) + (checksum >> 16))
            return (ethernet + frame[14:26] + frame[30:34] + frame[26:30] + b"\0\0" + checksum +
                    frame[38:])
        return None


def what_is_missing():
    """Why a guest cannot get a tap device here, or None."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "no /dev/net/tun"
    tried = subprocess.run(["unshare", "--net", "sh", "-c", "ip tuntap add dev tap0 mode tap && "
                            "ip link add br0 type bridge"], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, check=False)
    return tried.stdout.strip() or "it cannot be made" if tried.returncode else None
