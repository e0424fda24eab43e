"""The QMP socket is not there: told by its path; the guest itself is served without devices."""

from show import need


def play(lab):
    guest = lab.guest("lab")
    absent = lab.sockets / "no-such-qmp"
    settings = lab.usual_vm(guest, payload=["/bin/sleep", "1000"],
                            timeouts_ms={"device": 3000, "mount": 3000, "network": 3000})
    settings["device_host"]["qmp"] = str(absent)
    hostd = lab.hostd([settings]).start()
    guest.start()
    hostd.wait_event("GuestConnected", lab.seconds(60))
    event = hostd.wait_failure(lab.seconds(60), "device-host")
    lab.say(f"telemetry: {event}")
    need(str(absent) in str(event), f"the event does not name {absent}")
    need(f"start QEMU with -qmp unix:{absent}" in hostd.log(), "the log does not say what to do")
    status, words = lab.run_in_guest(hostd, "lab", "echo", "alive")
    need((status, words.strip()) == (0, "alive"), f"exec in the guest: {status}: {words}")
    lab.shut_down(hostd, guest)
