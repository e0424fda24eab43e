"""Programs of the guest are reached from the host: at published ports, by TCP and UDP; a taken one is told."""

import socket

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
    published(lab, hostd, ports)
    taken(lab, hostd, settings, ports)
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
