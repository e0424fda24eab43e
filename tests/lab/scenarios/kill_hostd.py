"""hostd is killed under a running guest: guest and share live on, the next hostd takes them over."""

from show import need


def play(lab):
    guest = lab.guest("lab")
    hostd = lab.hostd([lab.counting_vm(guest)]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.wait_counting()

    for number in (1, 2):
        hostd.process.kill()
        hostd.process.wait()
        lab.say(f"hostd killed, time {number}")
        lab.wait_counting()
        lab.say("without a hostd, the payload goes on writing to its share")
        hostd.start()
        hostd.wait_event("GuestReady", lab.seconds(60), count=number + 1)
        lab.wait_counting()
        status, words = lab.run_in_guest(hostd, "lab", "cat", "/proc/1/comm")
        need(status == 0, f"exec after the restart: {status}: {words}")
        lab.say(f"the new hostd has the guest again; its PID 1 is {words.strip()}")

    added = [event for event in hostd.events("AddVirtioFsShare") if event.get("created")]
    need(len(added) == 1, f"the share's device was made {len(added)} times")
    need(not hostd.failures(), f"{hostd.failures()}")
    need("cannot write" not in guest.console(), "the payload saw an I/O error")
    lab.shut_down(hostd, guest)
