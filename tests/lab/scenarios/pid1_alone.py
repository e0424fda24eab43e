"""Without a host, then refused, then welcomed, over a virtio port: it runs its own words, waits."""

import socket
import time

import plain_host as ph
from guest import Guest, reconnecting
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

NAME = "org.guestlink.0"
# The kernel knows double quotes alone.
WORDS = ('/bin/sh -c "echo words: $0 $1, $(env | grep -c -i guestlink), $(tty); exec sleep 1000" '
         'one "two words"')


def play(lab):
    # A path of its own: nothing listens there at first, and QEMU calls again every second.
    path = lab.sockets / "port.sock"
    port = ["-device", "virtio-serial-pci", "-chardev",
            f"socket,id=port,path={path},server=off,{reconnecting()}",
            "-device", f"virtserialport,chardev=port,name={NAME}"]
    image = Image(Kernel(), ["virtio_console"]).add_init()
    # Not by lab.guest(), which asks for a pool: this guest's kernel was not asked for one.
    guest = Guest(lab.folder / "lab", lab.sockets / "lab", image.kernel, lab.write(image),
                  f"guestlink.host=virtio-port:{NAME} guestlink.connect_timeout_ms=2000 "
                  "guestlink.on_host_loss=loose guestlink.modules=virtio-pci,virtio_console,none",
                  extra=port, arguments=WORDS, vsock_device=False)
    guest.start()
    guest.wait_console("connect: no host answered within 2000 ms", lab.seconds(40))
    guest.wait_console("^words: one two words, 0, /dev/console$", lab.seconds(10))
    lab.say("no host: its own words run, with their quotes, on the console, without PID 1's "
            "parameters")
    guest.wait_console("on_host_loss=loose: expected reconnect or poweroff", lab.seconds(5))

    host = ph.PlainHost(guest, lab.seconds, listener=listen(path))
    number = host.accept()
    host.send(ph.frame(ph.WELCOME, 1, number, ph.welcome(1, 7, 2)))
    began = time.monotonic()
    host.hang_up()
    number = wait_for("the guest to call again", lab.seconds(90), lambda: try_accept(host))
    waited = time.monotonic() - began
    need(waited > 20, f"it came again after {waited:.1f} s")
    host.send(ph.frame(ph.WELCOME, 1, number, ph.welcome()))
    host.need_alive()
    modules(lab, host)
    _, words = host.shell("dmesg | grep refused")
    need("refused: status 1 (protocol version not supported); it speaks 7.2, this guest 1.1; "
         "will retry in about 30000 ms" in words, f"the log says {words!r}")
    lab.say(f"it came again after {waited:.0f} s; {words.split('] ')[-1].strip()}")
    need(host.do(ph.COMPLETE_BOOT)[0] == 0, "COMPLETE_BOOT")
    host.wait("READY", lambda: host.ready)
    need(host.ready[0]["payload"] > host.ready[0]["started"], "READY without the payload's time")
    need(guest.console().count("\nwords:") == 1, "the words were started twice")
    error, text = host.do(ph.START_PROCESS, ph.process(1, ["/bin/true"], role=ph.PAYLOAD))
    need(error == 114, f"a second payload: {error}: {text}")
    host.hang_up()
    host.serve()
    host.need_alive()
    lab.say("over a virtio port: welcomed, and again after the host went")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")


def modules(lab, host):
    """Those that the command line names, and what they need; no pool was asked for."""
    _, words = host.shell("cut -d ' ' -f 1 /proc/modules; dmesg | grep guestlink.modules:")
    need("virtio_console" in words and "virtio_pci" in words, f"not loaded: {words}")
    need("virtiofs" not in words and "vsock" not in words, f"loaded, but not named: {words}")
    need("guestlink.modules: none is not in /etc/guestlink/modules; ignoring it" in words, words)
    features = int.from_bytes(host.capabilities[8:16], "little")
    need(features & 0x72 == 0, f"features {features:#x}: a pool, or virtiofs, which is not named")
    lab.say(f"loaded what guestlink.modules= names alone; features {features:#x}")


def listen(path):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(str(path))
    sock.listen()
    return sock


def try_accept(host):
    try:
        return host.accept(60)
    except EOFError:  # QEMU's own reconnect, without a guest
        return None
