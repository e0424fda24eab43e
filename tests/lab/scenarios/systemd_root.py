"""A Debian root with systemd: PID 1 hands over to it and goes on serving the host as its child."""

import subprocess

import debian_root
from hostd import adapter, share, vm_settings
from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

PACKAGES = ["systemd", "systemd-sysv", "dbus"]


def play(lab):
    why_not = debian_root.why_not()
    if why_not:
        lab.skip(why_not)
    root = debian_root.make(PACKAGES)
    disk = debian_root.make_ext4(root, lab.sockets / "root.ext4", "lab-root")
    lab.say(f"the root: {root.name}, with {', '.join(PACKAGES)}")
    image = Image(Kernel(), ["virtio_blk", "ext4"]).add_init()
    guest = lab.guest("lab", "old", "guestlink.root=LABEL=lab-root "
                      "systemd.getty_auto=no",
                      image=image, extra=[
                          "-drive", f"file={disk},format=raw,if=none,id=root",
                          "-device", "virtio-blk-pci,drive=root"])
    payload = {"argv": ["/bin/sh", "-c", "test -e /etc/debian_version && exit 3"],
               "restart": "on-failure"}
    settings = vm_settings(guest, network=[adapter()], payload=payload,
                           shares=[share("c", lab.share_folder("lab"), "/mnt/c")])
    hostd = lab.hostd([settings]).start()
    guest.start()
    event = hostd.wait_event("GuestReady", lab.seconds(90))
    lab.say(f"handed over: {event.get('host_ready_ms')} ms")

    def run(*words, expected=0):
        status, text = lab.control(hostd, "exec", "lab", "--", *words, seconds=90)
        need(status == expected, f"{words}: {status}: {text}")
        return text.strip()

    def state():
        _, text = lab.control(hostd, "exec", "lab", "--", "systemctl", "is-system-running")
        return text.strip() if text.strip() in ("running", "degraded") else None
    said = wait_for("systemd to have started all that it starts", lab.seconds(120), state, 0.5)
    failed = run("/bin/systemctl", "--failed", "--no-legend", "--plain")
    lab.say(f"systemd says: {said}; failed units: {failed or 'none'}")
    need(failed == "", f"failed units: {failed}")
    need(run("/bin/cat", "/proc/1/comm") == "systemd", "PID 1 is not systemd")
    agent = run("/bin/sh", "-c", "grep -ls guestlink-agent /proc/[0-9]*/comm || true")
    pid = agent.split("/")[2]
    parent = run("/bin/sh", "-c", f"grep PPid /proc/{pid}/status")
    need(parent.split()[-1] == "1", f"the agent's {parent}")
    lab.say(f"the agent is process {pid}, a child of systemd's")
    text = run("/bin/cat", "/mnt/c/from-host.txt")
    need("written on the host" in text, f"the share did not come along: {text}")
    need("nameserver 10.0.2.3" in run("/bin/cat", "/etc/resolv.conf"), "no name servers in the root")
    hostd.wait_event("ChildExit", lab.seconds(60), count=2, status=3)
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.say("share, name servers and payload are in the real root, and each end of the payload is told")
    lab.need_alive(hostd)
    status, words = lab.control(hostd, "shutdown", "lab")
    need(status == 0, f"shutdown: {status}: {words}")
    farewell = hostd.wait_event("GuestFarewell", lab.seconds(90))
    need(guest.wait_off(lab.seconds(90)) == 0, "QEMU did not end with status 0")
    console = guest.console()
    need("reboot: Power down" in console, "no power-down")
    need("systemd-shutdown" in console or "Reached target" in console,
         "it was not systemd that powered off")
    lab.say(f"farewell: {farewell['how']} by {farewell['reason']}; systemd powered off")
    checked = subprocess.run(["e2fsck", "-fn", disk], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, check=False)
    need(checked.returncode == 0, f"the root filesystem is not clean: {checked.stdout}")
    lab.say("its filesystem is clean")
