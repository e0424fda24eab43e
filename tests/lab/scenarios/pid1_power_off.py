"""poweroff, halt and reboot end the machine as they say, also without ACPI; the host waits for no VM that only halts."""

from show import need
from wait import wait_for

# words for the kernel, what the guest's own program does, what the console then says
WITHOUT_A_HOST = (
    ("acpi=off guestlink.modules=virtio_net", "poweroff", "power off now, by a reboot"),
    ("guestlink.poweroff=reboot", "kill -USR2 1", "power off now, by a reboot"),
    ("", "kill -WINCH 1; kill -HUP 1; poweroff", "power off now$"),
)


def play(lab):
    for number, (words, act, said) in enumerate(WITHOUT_A_HOST):
        guest = lab.guest(f"alone{number}", "old", f"guestlink.connect_timeout_ms=100 {words}",
                          vsock_device=False, arguments=f'/bin/sh -c "{act}; sleep 1000"')
        guest.start()
        need(guest.wait_off(lab.seconds(40)) == 0, f"{words} {act}: QEMU did not end with status 0")
        guest.wait_console_after_end(said)
        if "modules" in words:
            guest.wait_console_after_end("guestlink.modules does not name vmw_vsock_virtio_transport")
        if "HUP" in act:
            guest.wait_console_after_end(r"ignored signal 1 \(SIGHUP\) from pid \d+")
        lab.say(f"{words or 'with ACPI'}: {act}: {said}")
    halted(lab)


def halted(lab):
    """A VM that says farewell and stays: its connection is closed by the host."""
    guest, hostd = lab.serve()
    lab.run_in_guest(hostd, "lab", "/bin/halt")
    event = hostd.wait_event("GuestFarewell", lab.seconds(30))
    need((event["how"], event["reason"]) == ("halt", "signal"), f"{event}")
    guest.wait_console("reboot: System halted", lab.seconds(10))
    event = hostd.wait_event("GuestDisconnected", lab.seconds(40))
    need(event["reason"] == "farewell" and event["farewell"], f"{event}")
    need(guest.process.alive(), "QEMU ended")
    wait_for("the reason in the daemon's log", lab.seconds(5), lambda:
             "sent farewell, but its VM still runs" in hostd.log())
    guest.ask_qemu("quit")
    lab.say("halted: the host closed the connection and said why")
