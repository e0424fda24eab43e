"""One guest: its clock jumps, its vsock device is taken and given back, its kernel panics; served on each time."""

import time

import vsock
from show import need
from wait import wait_for

# Seconds since 1970: before guestlink, and past what 32 bits hold.
TIMES = {"2001": 1_000_000_000, "2040": 2_208_988_800, "1970": 86_400}

# Without a word from the guest, until its host takes it for gone.
SILENCE_MS = 9000


def play(lab):
    guest = lab.guest("lab", "failed")
    take_apart(guest)
    # After a silence, as on a busy machine, the host would set the clock that jumped.
    hostd = lab.hostd([lab.counting_vm(guest, clock="none",
                                       timeouts_ms={"silence": SILENCE_MS})]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.say("the guest is ready")
    clock_jumps(lab, hostd)
    vsock_device_goes(lab, guest, hostd)
    kernel_panics(lab, guest, hostd)
    lab.shut_down(hostd, guest)


def take_apart(guest):
    """Puts the vsock device where it can be unplugged."""
    guest.vsock.qemu[-1] += ",id=vsock-device,bus=rp6"


def clock_jumps(lab, hostd):
    """Nothing of ours goes by the time of day: no deadline ends early or never."""
    for year, seconds in TIMES.items():
        status, words = lab.run_in_guest(hostd, "lab", "date", "-u", "-s", f"@{seconds}")
        need(status == 0 and year in words, f"date -s: {status}: {words}")
        began = time.monotonic()
        status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", "sleep 1; date -u +%Y")
        need((status, words.strip()) == (0, year), f"exec in {year}: {status}: {words}")
        need(time.monotonic() - began < lab.seconds(10), f"in {year}, 1 s took much longer")
        lab.wait_counting()
        lab.need_alive(hostd)
    need(not hostd.events("GuestDisconnected"), "the guest was lost by a clock")
    need(not hostd.events("GuestTimeout"), f"{hostd.events('GuestTimeout')}")
    lab.say("the guest's clock jumped to " + ", ".join(TIMES))


def vsock_device_goes(lab, guest, hostd):
    guest.ask_qemu("device_del", id="vsock-device")
    guest.wait_console(r"guestlink-init: host: connection lost", lab.seconds(20))
    # Nobody else says anything now: a line that the kernel keeps back would not come.
    guest.wait_console(r"guestlink-init: host: no device for the connection", lab.seconds(20))
    lab.say("the vsock device is gone, and PID 1 says so")
    event = hostd.wait_event("GuestDisconnected", lab.seconds(30))
    lab.say(f"telemetry: GuestDisconnected: {event['reason']}")
    need(not event["farewell"], f"a farewell from a guest that lives: {event}")
    if vsock.provider() == "user":
        # That device's program holds the connection and says nothing: nobody but the clock tells.
        late = hostd.events("GuestTimeout", phase="silence", timeout_ms=SILENCE_MS)
        need(event["reason"] == "silence" and len(late) == 1, f"{event} {late}")
        guest.vsock.stop()  # one vhost-device-vsock serves one device of QEMU's, once
    status, words = lab.run_in_guest(hostd, "lab", "true")
    need(status == 125 and "connect" in words, f"exec meanwhile: {status}: {words}")
    lab.say(f"exec meanwhile: {words.strip()}")
    lab.wait_counting()
    lab.say("the guest lives on without it, and so does its share")
    give_back(lab, guest)
    hostd.wait_event("GuestConnected", lab.seconds(30), same_boot=True)
    hostd.wait_event("GuestReady", lab.seconds(30), count=2)
    lab.need_alive(hostd)
    added = [event for event in hostd.events("AddVirtioFsShare") if event["created"]]
    need(len(added) == 1, f"the share's device was made {len(added)} times")


def give_back(lab, guest):
    driver, *options = guest.vsock.qemu[-1].split(",")
    options = dict(option.split("=") for option in options)
    if "chardev" in options:
        guest.vsock.start()
        options["chardev"] = "vsock-again"
        address = {"type": "unix", "data": {"path": guest.vsock.qemu[1].rsplit("path=")[1]}}
        guest.ask_qemu("chardev-add", id="vsock-again", backend={
            "type": "socket", "data": {"addr": address, "server": False}})

    def done():
        try:
            guest.ask_qemu("device_add", driver=driver, **options)
        except RuntimeError as error:  # the old one is still on its way out
            if "Duplicate" not in str(error) and "in use" not in str(error):
                raise
            return False
        return True
    wait_for("room for the vsock device", lab.seconds(20), done, 0.2)
    lab.say("QEMU has a vsock device again")


def kernel_panics(lab, guest, hostd):
    """QEMU, told not to reboot, ends with it; what comes next is another boot."""
    lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", "echo c >/proc/sysrq-trigger")
    guest.wait_off(lab.seconds(20))
    need("Kernel panic" in guest.console(), "no panic on the console")
    event = hostd.wait_event("GuestDisconnected", lab.seconds(20), count=2)
    need(not event["farewell"], f"a farewell from a panic: {event}")
    lab.say(f"the kernel panicked; telemetry: GuestDisconnected: {event['reason']}")
    (lab.folder / "shares" / "lab" / "counter").unlink()  # the next boot counts from 1
    guest.start_again()
    hostd.wait_event("GuestReady", lab.seconds(60), count=3)
    boots = {event["boot_id"] for event in hostd.events("GuestConnected")}
    need(len(boots) == 2, f"boots: {boots}")
    lab.wait_counting()
