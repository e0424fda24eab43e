"""An ordinary user's libvirt (qemu:///session) and daemon: shares by each kind of virtiofsd, read and written, a network, the end."""

import os

import domain as domains
import libvirt
import user
from hostd import adapter, share, vm_settings
from libvirt_session import Session
from show import need
from spy import programs


def play(lab):
    why = libvirt.what_is_missing()
    if why:
        lab.skip(why)
    host = Session(lab.folder, lab.sockets).start().told(lab)
    for name, program in programs().items():
        domain = domains.of_lab(lab, host, name)
        folder = lab.share_folder(name)
        hostd = lab.hostd([vm_settings(
            domain, name, device_host=domain.device_host(virtiofsd=str(program)),
            network=[adapter()], shares=[share("rw", folder, "/mnt/rw"),
                                         share("ro", folder, "/mnt/ro", read_only=True)])],
            within=host.enter())
        user.give(lab.folder, domain.place, lab.sockets / "home")
        # Its control socket and its state are in it.
        os.chown(lab.sockets, user.USER, user.USER)
        hostd.start()
        domain.start()
        hostd.wait_event("GuestReady", lab.seconds(60), vm=name)
        user.use_shares(lab, hostd, name, folder)
        status, words = lab.run_in_guest(hostd, name, "ping", "-c", "1", "-W", "15", "10.0.2.2")
        need(status == 0, f"{name}: ping: {status}: {words}")
        lab.say(f"{name}: shares and a network of an ordinary user's domain")
        lab.shut_down(hostd, domain, name)
        lab.stop_daemons()
