"""The warning about an old kernel comes once per VM and kernel release, across hostd's restarts."""

from show import need


def play(lab):
    guest = lab.guest("lab", "old")
    hostd = lab.hostd([lab.usual_vm(guest, shares=[], network=[],
                                    payload=["/bin/sleep", "1000"])])
    for boot in (1, 2):
        hostd.start()
        if boot == 1:
            guest.start()
        else:
            guest.start_again()
        hostd.wait_event("GuestReady", lab.seconds(60), count=boot)
        told = hostd.events("SwiotlbKernelUnsupported")
        need(len(told) == 1, f"{len(told)} warnings after boot {boot}")
        lab.say(f"boot {boot}: {told[0]['reason']}, told once")
        lab.shut_down(hostd, guest)
        need(hostd.process.stop(lab.seconds(10)) == 0, "hostd did not end with 0")
