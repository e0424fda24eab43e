"""An ordinary user's libvirt (qemu:///session) and daemon: shares by each kind of virtiofsd, read and written, a network, the end."""

import domain as domains
import libvirt
from hostd import adapter, share, vm_settings
from libvirt_session import USER, Session, give_to_user
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
        give_to_user(lab.folder, domain.place, lab.sockets / "home")
        # Its control socket and its state are in it.
        give_to_user_itself(lab.sockets)
        hostd.start()
        domain.start()
        hostd.wait_event("GuestReady", lab.seconds(60), vm=name)
        used(lab, hostd, name, folder)
        lab.shut_down(hostd, domain, name)
        lab.stop_daemons()


def give_to_user_itself(path):
    import os
    os.chown(path, USER, USER)


def used(lab, hostd, name, folder):
    need(not hostd.failures(), f"{name}: {hostd.failures()}")
    status, words = lab.run_in_guest(hostd, name, "sh", "-c",
                                     "cat /mnt/ro/from-host.txt && echo written >/mnt/rw/back")
    need((status, words) == (0, f"written on the host for {name}\n"), f"{name}: {status}: {words}")
    need((folder / "back").stat().st_uid == USER, f"owner {(folder / 'back').stat().st_uid}")
    status, words = lab.run_in_guest(hostd, name, "sh", "-c",
                                     "mount -o remount,rw /mnt/ro; touch /mnt/ro/new")
    need(status != 0 and not (folder / "new").exists(), f"{name}: {status}: {words}")
    status, words = lab.run_in_guest(hostd, name, "ping", "-c", "1", "-W", "15", "10.0.2.2")
    need(status == 0, f"{name}: ping: {status}: {words}")
    lab.say(f"{name}: shares and a network of an ordinary user's domain")
