"""Boots for first-frame: a guest whose stage marks the hand-over to PID 1 by a byte on QEMU's debug
console, until the host has its facts. Both times are taken on the host; a frame brings the guest's
own clock with it, from main() to the frame being encoded."""

import base64
import json
import select
import socket
import time

import vsock
from guest import Guest
from listener import calls

FRAME = 192       # bytes: header 16, guest_capabilities 1.0 176
LIMIT = 60        # seconds for one boot
AGENT_PORT = 1234
ICOUNT = ["-icount", "shift=0,sleep=off"]  # a guest's clock counts its instructions, 1 ns each

# What CAPABILITIES says and qemu-ga has no command for.
ASKED = ("cat /proc/sys/kernel/random/boot_id /proc/filesystems"
         " /sys/bus/vmbus/drivers/hv_pci/swiotlb_base /sys/bus/vmbus/drivers/hv_pci/swiotlb_size;"
         "uname -r; nproc; grep MemTotal /proc/meminfo")


def wait_readable(sock, deadline, what):
    left = max(0.0, deadline - time.monotonic())
    if not select.select([sock], [], [], left)[0]:
        raise TimeoutError(f"{what}: not within {LIMIT} s")


class Boot:
    """One boot of one program as PID 1; frame() or agent() gives its times, in seconds."""

    def __init__(self, folder, sockets, kernel, image, program, icount=False):
        sockets.mkdir()
        self._sockets = sockets
        self._mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._mark.bind(str(sockets / "mark"))
        self._mark.listen()
        self._guest = Guest(
            folder, sockets, kernel, image,
            f"quiet lab_kind=published lab_mark=1 lab_exec={program} hv_pci_swiotlb=16M",
            extra=["-chardev", f"socket,id=mark,path={sockets / 'mark'}",
                   "-device", "isa-debugcon,chardev=mark,iobase=0xe9",
                   *(ICOUNT if icount else [])])
        self._deadline = time.monotonic() + LIMIT

    def __enter__(self):
        self._listener = calls(self._guest)
        self._guest.start()
        return self

    def __exit__(self, *reason):
        self._guest.process.kill()
        self._guest.process.wait(10)
        self._guest.vsock.stop()
        self._listener.close()
        self._mark.close()

    def _handed_over(self):
        """Waits for the hand-over to PID 1; returns when that was."""
        wait_readable(self._mark, self._deadline, "QEMU's debug console")
        console, _ = self._mark.accept()
        with console:
            wait_readable(console, self._deadline, "the hand-over to PID 1")
            return time.monotonic()

    def frame(self):
        """Returns (the host's clock until the frame was here, the guest's from main() on)."""
        began = self._handed_over()
        wait_readable(self._listener, self._deadline, "the guest's call")
        peer, _ = self._listener.accept()
        frame = b""
        with peer:
            while len(frame) < FRAME:
                wait_readable(peer, self._deadline, "the guest's facts")
                piece = peer.recv(FRAME - len(frame))
                if not piece:
                    raise ConnectionError(f"the guest hung up after {len(frame)} bytes")
                frame += piece
        arrived = time.monotonic()
        started, sent = (int.from_bytes(frame[at:at + 8], "little") for at in (176, 184))
        return arrived - began, (sent - started) / 1e9

    def agent(self):
        """The same facts from qemu-ga, which is called by the host; it has no clock of its own."""
        began = self._handed_over()
        with self._call() as sock, sock.makefile("rw", encoding="utf-8") as stream:
            ask(stream, "guest-info")
            ask(stream, "guest-get-osinfo")
            started = ask(stream, "guest-exec",
                          {"path": "/bin/sh", "arg": ["-c", ASKED], "capture-output": True})
            while True:
                status = ask(stream, "guest-exec-status", started)
                if status["exited"]:
                    break
            said = base64.b64decode(status.get("out-data", "")).decode()
            if "MemTotal" not in said or "0x" not in said:
                raise RuntimeError(f"qemu-ga did not say what was asked: {status}")
        return time.monotonic() - began, None

    def _call(self):
        """A connection to qemu-ga; nobody tells the host when it listens, so it tries again."""
        while time.monotonic() < self._deadline:
            sock = self._try_call()
            if sock:
                return sock
            time.sleep(0.002)
        raise TimeoutError(f"qemu-ga: did not answer a call within {LIMIT} s")

    def _try_call(self):
        host = vsock.provider() == "vhost"
        sock = socket.socket(socket.AF_VSOCK if host else socket.AF_UNIX)
        sock.settimeout(3)  # qemu-ga serves one caller: one given up too early blocks the next
        try:
            if host:
                sock.connect((self._guest.vsock.cid, AGENT_PORT))
            else:
                sock.connect(str(self._sockets / "vm.sock"))
                sock.sendall(f"CONNECT {AGENT_PORT}\n".encode())
                if not sock.recv(64).startswith(b"OK "):
                    raise ConnectionRefusedError
        except OSError:
            sock.close()
            return None
        sock.settimeout(LIMIT)
        return sock


def ask(stream, command, arguments=None):
    """One question of QEMU's guest agent protocol; returns its answer."""
    stream.write(json.dumps({"execute": command, "arguments": arguments or {}}) + "\n")
    stream.flush()
    answer = json.loads(stream.readline())
    if "return" not in answer:
        raise RuntimeError(f"qemu-ga: {command}: {answer}")
    return answer["return"]
