"""Boots for first-frame: a guest whose stage marks the hand-over to PID 1 on QEMU's debug console,
until the host has its facts. Both moments are taken twice: by the host's clock, and by the guest's,
which the mark brings with it, and the frame (or qemu-ga's answer) as well."""

import select
import socket
import time

import agent
import vsock
from guest import Guest
from listener import calls

FRAME = 192       # bytes: header 16, guest_capabilities 1.0 176
SENT_NS = 184     # its field sent_ns, CLOCK_BOOTTIME
MARK = 16         # bytes: CLOCK_BOOTTIME, CLOCK_REALTIME
LIMIT = 240       # seconds for one boot, on a machine that is slow or busy
CALL_LIMIT = 20   # seconds for qemu-ga to answer a call
# A guest's clock counts its instructions, 1 ns each, and goes on by the host's where it waits.
# (With sleep=off a wait, for the host as well, jumps to the guest's next timer.)
ICOUNT = ["-icount", "shift=0,sleep=on"]


def wait_readable(sock, deadline, what):
    left = max(0.0, deadline - time.monotonic())
    if not select.select([sock], [], [], left)[0]:
        raise TimeoutError(f"{what}: not within {LIMIT} s")


def receive(sock, size, deadline, what):
    data = b""
    while len(data) < size:
        wait_readable(sock, deadline, what)
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError(f"{what}: the end after {len(data)} bytes of {size}")
        data += piece
    return data


def number(data, at):
    return int.from_bytes(data[at:at + 8], "little")


class Boot:
    """One boot of one program as PID 1; frame() or agent() gives its times: seconds by the host's
    clock, seconds by the guest's."""

    def __init__(self, folder, sockets, kernel, image, program, words="", icount=False):
        sockets.mkdir()
        self._sockets = sockets
        self._published = "lab_kind=stock" not in words
        self._mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._mark.bind(str(sockets / "mark"))
        self._mark.listen()
        self._guest = Guest(
            folder, sockets, kernel, image,
            "quiet lab_kind=published swiotlb=8192,force iommu=soft hv_pci_swiotlb=16M "
            f"lab_mark=1 lab_exec={program} {words}",
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
        """Waits for the hand-over to PID 1; returns the host's clock in seconds, then the guest's
        BOOTTIME and REALTIME in nanoseconds."""
        wait_readable(self._mark, self._deadline, "QEMU's debug console")
        console, _ = self._mark.accept()
        with console:
            mark = receive(console, MARK, self._deadline, "the hand-over to PID 1")
            return time.monotonic(), number(mark, 0), number(mark, 8)

    def frame(self):
        """Of a program that calls the host and sends CAPABILITIES."""
        began, boottime, _ = self._handed_over()
        wait_readable(self._listener, self._deadline, "the guest's call")
        peer, _ = self._listener.accept()
        with peer:
            frame = receive(peer, FRAME, self._deadline, "the guest's facts")
        return time.monotonic() - began, (number(frame, SENT_NS) - boottime) / 1e9

    def agent(self):
        """Of qemu-ga, which is called by the host, and asked for the same facts."""
        began, _, realtime = self._handed_over()
        with self._call() as sock, sock.makefile("rw", encoding="utf-8") as stream:
            said = agent.facts(stream, self._published)
            took = time.monotonic() - began
            sent = agent.clock(stream)
        for path, text in said.items():
            if not text:
                raise RuntimeError(f"qemu-ga: {path} is empty")
        return took, (sent - realtime) / 1e9

    def _call(self):
        """A connection to qemu-ga; nobody tells the host when it listens, so it tries again."""
        deadline = time.monotonic() + CALL_LIMIT
        while time.monotonic() < deadline:
            sock = self._try_call()
            if sock:
                return sock
            time.sleep(0.002)
        raise TimeoutError(f"qemu-ga: did not answer a call within {CALL_LIMIT} s")

    def _try_call(self):
        host = vsock.provider() == "vhost"
        sock = socket.socket(socket.AF_VSOCK if host else socket.AF_UNIX)
        sock.settimeout(5)  # qemu-ga serves one caller: one given up too early blocks the next
        try:
            if host:
                sock.connect((self._guest.vsock.cid, agent.PORT))
            else:
                sock.connect(str(self._sockets / "vm.sock"))
                sock.sendall(f"CONNECT {agent.PORT}\n".encode())
                if not sock.recv(64).startswith(b"OK "):
                    raise ConnectionRefusedError
        except OSError:
            sock.close()
            return None
        sock.settimeout(LIMIT)
        return sock
