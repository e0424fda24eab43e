"""SIGTERM, SIGPWR and Ctrl-Alt-Del end the guest in order; SIGPWR powers off, the others reboot."""

from show import need


def play(lab):
    guest, hostd = lab.serve()
    for number, (what, act, how) in enumerate((
            ("SIGTERM", lambda: in_guest("TERM"), "reboot"),
            ("SIGPWR", lambda: in_guest("PWR"), "power-off"),
            ("Ctrl-Alt-Del", lambda: press(guest), "reboot")), 1):

        def in_guest(name):
            lab.run_in_guest(hostd, "lab", "/bin/kill", "-s", name, "1")

        lab.wait_counting()
        act()
        need(guest.wait_off(lab.seconds(30)) == 0, f"{what}: QEMU did not end with status 0")
        event = hostd.wait_event("GuestFarewell", lab.seconds(5), count=number)
        lab.say(f"{what}: {event['how']}, by {event['reason']}")
        need((event["how"], event["reason"]) == (how, "signal"), f"{what}: {event}")
        if number < 3:
            guest.start_again()
            hostd.wait_event("GuestReady", lab.seconds(60), count=number + 1)


def press(guest):
    keys = [{"type": "qcode", "data": key} for key in ("ctrl", "alt", "delete")]
    guest.ask_qemu("send-key", keys=keys)
