"""How PID 1 calls its host: once vsock is there, from privileged ports, with pauses that differ."""

import re
import struct

import plain_host as ph
import vsock
from image import Image
from kernel import Kernel
from show import need

# init/base/limits.h, in ms: INIT_PAUSE_FIRST_MS, doubled up to INIT_PAUSE_LAST_MS, each ± 25 %.
FIRST, LAST = 50, 5000
SERIES = 40
# A virtio console that is not there; the kernel's early console has no device, and stays.
NO_CONSOLE = "hvc0 earlyprintk=serial,ttyS0,keep"


def play(lab):
    image = Image(Kernel()).add_init().add_program("/bin/vsock-names", lab.compile("vsock_names"))
    guest = lab.guest("lab", "old", image=image, console=NO_CONSOLE)
    host = ph.PlainHost(guest, lab.seconds)
    late_device(lab, guest, host)
    no_console(lab, host, guest)
    ports = [port(host)]
    grows(lab, host)
    differs(lab, host)
    ports.append(port(host))
    need(ports[0] != ports[1], f"the same port again: {ports}")
    lab.say(f"it called from the ports {ports}, which only root may bind")
    host.need_alive()
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.wait("FAREWELL", lambda: host.farewell)
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")


def late_device(lab, guest, host):
    """Where there is no vsock yet it is called by when it comes, not when a pause ends."""
    driver, *options = guest.vsock.qemu[-1].split(",")
    del guest.vsock.qemu[-2:]
    guest.start()
    guest.wait_console("guestlink-init: host: no device for the connection yet", lab.seconds(60))
    lab.pause(6.5)  # the pauses are of some 5 s now
    guest.ask_qemu("device_add", driver=driver, bus="rp6",
                   **dict(option.split("=") for option in options))
    host.serve()
    _, words = host.shell("dmesg | grep 'pci .*1af4:1053'")
    came = float(re.search(r"\[ *([0-9.]+)\]", words.splitlines()[-1])[1])
    took = called(host) / 1000 - came
    need(took < 1.5, f"it called {took:.1f} s after its device came")
    lab.say(f"its vsock came at {came:.1f} s, and it called after {took * 1000:.0f} ms")


def no_console(lab, host, guest):
    need("unable to open an initial console" in guest.console(), "the kernel opened a console")
    _, words = host.shell("ls -l /proc/1/fd; cat /dev/console")
    need(re.findall(r" ([012]) -> (\S+)", words) == [(n, "/dev/null") for n in "012"], words)
    need("can't open '/dev/console'" in words, f"there is a console: {words}")
    need(host.run(1, "/bin/sh", "-c", "echo out; echo err >&2; read x || exit 7", flags=0)[0] == 7,
         "a program without a console")
    lab.say("no console at all: PID 1 and its programs have /dev/null")


def port(host):
    """The port that PID 1 called from, as the guest's kernel has it."""
    _, words = host.shell("vsock-names 1")
    (name,) = words.splitlines()
    local, cid, remote = map(int, name.split())
    need((cid, remote) == (2, vsock.PORT) and local < 1024, f"it called {name}")
    return local


def called(host):
    """When the guest made the call that stands, in ms of its own clock."""
    return struct.unpack_from("<Q", host.capabilities, 168)[0] / 1e6


def series(host, count):
    """Welcomes the guest and goes, then hangs up on it as soon as it calls, and welcomes it at
    last; returns the times between its calls."""
    host.serve()
    times = [called(host)]
    for _ in range(count):
        number = host.accept()
        times.append(called(host))
    host.send(ph.frame(ph.WELCOME, 1, number, ph.welcome()))
    return [after - before for before, after in zip(times, times[1:])]


def bounded(gaps, slack):
    """The pauses that are meant, each after its gap; a gap also has the calls' own time."""
    meant = [min(FIRST << number, LAST) for number in range(len(gaps))]
    for pause, gap in zip(meant, gaps):
        need(0.75 * pause <= gap <= 1.25 * pause + slack,
             f"{gap:.1f} ms instead of {pause} ± 25 %: {gaps}")
    return list(zip(meant, gaps))


def grows(lab, host):
    gaps = series(host, 8)
    bounded(gaps, lab.seconds(2000))
    _, words = host.shell("dmesg | grep 'will retry in about'")
    said = [int(ms) for ms in re.findall(r"will retry in about (\d+) ms", words)]
    need(said[-1] == LAST and said.count(LAST) == 1, f"the log says {said}")
    lab.say("it called after " + ", ".join(f"{gap:.0f}" for gap in gaps) + " ms")


def differs(lab, host):
    """A pause that is never shorter than what is meant has no jitter: what else there is only
    makes it longer. Few series are enough to see one, and none is over the bounds."""
    seen = []
    for number in range(1, SERIES + 1):
        seen += bounded(series(host, 4), lab.seconds(2000))
        shorter = [gap / pause for pause, gap in seen if gap < 0.97 * pause]
        if len(shorter) > 1:
            lab.say(f"{number} series of pauses: some are "
                    + " and ".join(f"{part:.2f}" for part in shorter) + " of what is meant")
            return
    need(False, f"no pause of {len(seen)} was shorter than meant: {seen}")
