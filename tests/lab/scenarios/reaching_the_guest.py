"""Services of the guest are reached from the host: at published ports, by TCP and UDP, and by `guestlinkctl forward`, TCP and Unix sockets: both ways at once, half-closed, to slow readers, 32 at a time; what cannot be is told."""

import os
import socket
import stat
import subprocess
import time

from hostd import adapter
from image import Image
from kernel import Kernel
from once import Once
from show import need
from wait import wait_for

MEGABYTE = bytes(range(256)) * 4096


def free_port(kind=socket.SOCK_STREAM):
    """A port that nobody has; until somebody takes it."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def play(lab):
    image = Image(Kernel("cloud")).add_init().add_program("/bin/services", lab.compile("services"))
    guest = lab.guest("lab", "failed", image=image)
    ports = {"tcp": free_port(), "udp": free_port(socket.SOCK_DGRAM), "later": free_port()}
    settings = lab.usual_vm(
        guest, shares=[], network=[adapter(publish=[f"127.0.0.1:{ports['tcp']}:7/tcp",
                                                    f"{ports['udp']}:7/udp"])],
        payload={"argv": ["/bin/services"], "restart": "always"})
    hostd = lab.hostd([settings]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    guest.wait_console("services can be called", lab.seconds(20))
    idle = Idle(lab, hostd)
    published(lab, hostd, ports)
    taken(lab, hostd, settings, ports)
    forwarded(lab, hostd)
    idle.heard()
    lab.shut_down(hostd, guest)
    once(lab)


def connect(port, seconds):
    return socket.create_connection(("127.0.0.1", port), timeout=seconds)


def exchange(lab, sock, what):
    """A MiB there and back, and half-closed then: what is still to come does come."""
    with sock:
        sock.settimeout(lab.seconds(30))
        got = bytearray()
        sent = 0
        while sent < len(MEGABYTE):
            sock.sendall(MEGABYTE[sent:sent + 32768])
            sent += 32768
            while len(got) < sent - 32768:
                got += sock.recv(65536)
        sock.shutdown(socket.SHUT_WR)
        while more := sock.recv(65536):
            got += more
    need(bytes(got) == MEGABYTE + b"end\n", f"{what}: {len(got)} bytes, {bytes(got[-8:])}")
    lab.say(f"{what}: a MiB there and back, and what came after half of it was closed")


def answers(lab, port):
    """A datagram, as often as it takes: none is sure to arrive."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1)

        def ask():
            sock.sendto(b"hello", ("127.0.0.1", port))
            try:
                return sock.recv(100) == b"hello"
            except OSError:
                return False
        wait_for("an answer by UDP", lab.seconds(20), ask)
    lab.say("UDP: answered")


def published(lab, hostd, ports):
    exchange(lab, connect(ports["tcp"], lab.seconds(20)), "a published port")
    answers(lab, ports["udp"])
    status, words = lab.control(hostd, "--json", "cmdline", "lab", "--config", str(hostd.config_file))
    need(f"{ports['tcp']}/tcp,{ports['udp']}/udp" in words, f"{status}: {words}")


def taken(lab, hostd, settings, ports):
    """Another port in its place, which somebody has; then nobody has it any more."""
    with socket.create_server(("127.0.0.1", ports["later"])):
        settings["network"][0]["publish"] = [f"127.0.0.1:{ports['later']}:7/tcp"]
        hostd.reload()
        text = hostd.wait_failure(lab.seconds(30), "adapter")["text"]
        need(f"127.0.0.1:{ports['later']}:7/tcp" in text and "Address already in use" in text and
             "publish another port" in text, text)
        lab.say(f"told: {text}")
    settings["network"][0]["publish"] = [f"127.0.0.1:{ports['later']}:7"]
    hostd.reload()
    hostd.wait_event("ConfigureNetwork", lab.seconds(60), count=2, id="eth0", error=0)
    exchange(lab, connect(ports["later"], lab.seconds(20)), "once it is free")
    try:
        connect(ports["tcp"], 2).close()
        need(False, "the former port is still published")
    except ConnectionRefusedError:
        lab.say("the former port is closed")


class Idle:
    """A command whose input begins only after more than half a minute."""

    def __init__(self, lab, hostd):
        self._lab = lab
        self._from = time.monotonic() + 33
        self._process = subprocess.Popen(hostd.ctl("exec", "lab", "--", "cat"), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)

    def heard(self):
        self._lab.pause(max(0, self._from - time.monotonic()))
        words = self._process.communicate("late\n", self._lab.seconds(20))[0]
        need(words == "late\n" and self._process.returncode == 0,
             f"input after half a minute: {self._process.returncode}: {words!r}")
        self._lab.say("exec: input after half a minute of none")


class Forward:
    """A `guestlinkctl forward` that listens."""

    def __init__(self, lab, hostd, here, there, *more):
        self._lab = lab
        self.process = subprocess.Popen(hostd.ctl("forward", "lab", here, there, *more),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=open(lab.sockets / "forward.log", "w", encoding="utf-8"),
                                        text=True)
        line = self.process.stdout.readline()
        need(" of lab" in line, f"forward: {line!r}: {self.said()}")
        self.at = line.split()[0]

    def said(self):
        return (self._lab.sockets / "forward.log").read_text(encoding="utf-8")

    def connect(self):
        seconds = self._lab.seconds(20)
        if self.at[0] != "/":
            return connect(int(self.at.rpartition(":")[2]), seconds)
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(seconds)
        sock.connect(self.at)
        return sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(self._lab.seconds(20))
        need(status == 0, f"forward: {status}: {self.said()}")


def forwarded(lab, hostd):
    path = lab.sockets / "here.sock"
    with Forward(lab, hostd, "0", "8") as tcp:
        exchange(lab, tcp.connect(), "from a port here to the guest's loopback")
        many(lab, tcp)
    with Forward(lab, hostd, str(path), "/run/echo.sock", "--mode", "0640") as local:
        mode = stat.S_IMODE(os.stat(path).st_mode)
        need(mode == 0o640, f"the socket's mode is {mode:o}")
        exchange(lab, local.connect(), "from a Unix socket here to one there")
        with Forward(lab, hostd, "[::1]:0", "127.0.0.1:9") as flood:
            slow(lab, hostd, flood, local)
    need(not path.exists(), "the socket's file is left")
    refused(lab, hostd)


def many(lab, forward):
    """Each with a word of its own, all of them open; one more is refused, and told."""
    socks = [forward.connect() for _ in range(32)]
    for number, sock in enumerate(socks):
        sock.settimeout(lab.seconds(30))
        sock.sendall(b"%d\n" % number)
    for number, sock in enumerate(socks):
        need(sock.recv(100) == b"%d\n" % number, f"connection {number}")
    with forward.connect() as extra:
        extra.settimeout(lab.seconds(20))
        try:
            need(extra.recv(1) == b"", "a 33rd connection")
        except ConnectionResetError:
            pass
    wait_for("a word of it", lab.seconds(5), lambda: "32 are open" in forward.said())
    for sock in socks:
        sock.close()
    wait_for("room again", lab.seconds(20), lambda: again(forward), 0.2)
    lab.say("32 at a time, and no more")


def again(forward):
    with forward.connect() as sock:
        sock.sendall(b"again\n")
        try:
            return sock.recv(100) == b"again\n"
        except OSError:
            return False


def slow(lab, hostd, flood, other):
    """Three readers that read nothing hold up nobody, neither commands nor connections."""
    stuck = [socket.create_connection(("::1", int(flood.at.rpartition(":")[2]))) for _ in range(3)]
    lab.pause(2)
    exchange(lab, other.connect(), "beside readers that do not read")
    status, words = lab.run_in_guest(hostd, "lab", "echo", "hello")
    need(status == 0 and words == "hello\n", f"{status}: {words}")
    size = 0
    while size < 8 << 20:
        size += len(stuck[0].recv(1 << 20))
    for sock in stuck:
        sock.close()
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c",
                                     "i=0; while [ $i -lt 50 ] && netstat -tn | grep -q ':9 .*ESTAB'; "
                                     "do sleep 0.1; i=$((i + 1)); done; netstat -tn | grep ':9 ' || true")
    need("ESTABLISHED" not in words, f"left in the guest: {words}")
    lab.say("readers that did not read: one then had 8 MiB; nothing is left of them in the guest")


def refused(lab, hostd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        told(lab, hostd, (str(port), "8"), 1, "Address already in use")
    told(lab, hostd, ("0.0.0.0:0", "8"), 2, "HERE:")
    told(lab, hostd, ("0", "192.0.2.1:80"), 2, "THERE:")
    told(lab, hostd, ("0", "8", "--mode", "0600"), 2, "no Unix socket")
    told(lab, hostd, ("/nonexistent/here.sock", "8"), 1, "No such file")
    with Forward(lab, hostd, "0", "99") as closed:
        with closed.connect() as sock:
            need(sock.recv(1) == b"", "a connection to a closed port")
        wait_for("a word of it", lab.seconds(10), lambda: "Connection refused" in closed.said())
        lab.say(f"told: {closed.said().strip()}")


def told(lab, hostd, words, status, text):
    got = lab.control(hostd, "forward", "lab", *words)
    need(got[0] == status and text in got[1], f"forward {words}: {got}")


def once(lab):
    """`guestlink run --publish`."""
    port = free_port()
    one = Once(lab)
    with socket.create_server(("127.0.0.1", port)):
        got = one.run("--publish", f"{port}:80", "--", "true")
        one.need("a taken port", got, 125, "", "Address already in use")
    run = one.start("--publish", f"{port}:80", "--", "sh", "-c",
                    "echo listening; echo from the guest | nc -l -p 80")
    try:
        need(run.stdout.readline() == b"listening\n", "nobody listens")

        def fetch():
            with connect(port, lab.seconds(10)) as sock:
                return sock.makefile("rb").readline() == b"from the guest\n"
        wait_for("the guest's words", lab.seconds(20), fetch)
        lab.say("guestlink run --publish: reached")
    finally:
        run.terminate()
        run.communicate(timeout=lab.seconds(60))
