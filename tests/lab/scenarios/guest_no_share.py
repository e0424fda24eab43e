"""A guest without a share: its daemon starts no process; adapter, commands, restart, power-off."""

from show import need

WORDS = "echo out; echo err >&2; exit 7"


def play(lab):
    guest = lab.guest("lab")
    hostd = lab.hostd([lab.usual_vm(guest, shares=[], payload=["/bin/sleep", "1000"])]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    hostd.wait_event("ConfigureNetwork", lab.seconds(20), error=0)
    lab.say("the guest is ready, with its adapter")
    ended = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", WORDS)
    need(ended[0] == 7 and set(ended[1].split()) == {"out", "err"}, f"exec: {ended}")
    for words in (["list"], ["show", "lab"], ["capabilities", "lab", "--refresh"],
                  ["cmdline", "lab"]):
        status, text = lab.control(hostd, *words)
        need(status == 0 and text, f"guestlinkctl {words[0]}: {status}: {text}")
    need(hostd.process.stop(lab.seconds(20)) == 0, "hostd did not end with status 0")
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    lab.need_alive(hostd)
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.shut_down(hostd, guest)
