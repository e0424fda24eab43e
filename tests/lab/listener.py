"""A listener on the host's loopback that keeps what it is told: a packet of the guest's that
arrives here has crossed its network adapter."""

import socket
import threading

ANSWER = b"the host heard you\n"


class Listener:
    def __init__(self):
        self._sock = socket.create_server(("127.0.0.1", 0))
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
                peer.settimeout(10)
                try:
                    line = peer.makefile("rb").readline()
                    peer.sendall(ANSWER)
                except OSError:
                    continue
                self.heard.append(line.decode(errors="replace").strip())

    def close(self):
        self._sock.close()
