"""Listeners of the host's. Listener is on the loopback and keeps what it is told: a packet of the
guest's that arrives here has crossed its network adapter."""

import socket
import threading

import vsock
from wait import patient

ANSWER = b"the host heard you\n"


class Listener:
    def __init__(self, address="127.0.0.1"):
        self._sock = socket.create_server((address, 0))
        self.port = self._sock.getsockname()[1]
        self.heard = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self._sock.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(patient(10))
                try:
                    line = peer.makefile("rb").readline()
                    # Before the answer: who has that one looks what was heard.
                    self.heard.append(line.decode(errors="replace").strip())
                    peer.sendall(ANSWER)
                except OSError:
                    continue

    def close(self):
        self._sock.close()


def calls(guest, port=vsock.PORT):
    """A listening socket where the guest's calls to a port of its host arrive; of hostd's, in its
    place."""
    if vsock.provider() == "vhost":
        sock = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        sock.bind((socket.VMADDR_CID_ANY, port))
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = guest.vsock.socket.with_name(guest.vsock.socket.name.replace(
            f"_{vsock.PORT}", f"_{port}"))
        path.unlink(missing_ok=True)
        sock.bind(str(path))
    sock.listen()
    return sock


def hear(sock, seconds):
    """What the next call says, to its end: a VM manager's notify socket."""
    sock.settimeout(seconds)
    peer, _ = sock.accept()
    with peer:
        peer.settimeout(seconds)
        return peer.makefile("rb").read(4096).decode()
