"""A domain of libvirt's is suspended, reset, rebooted, destroyed, undefined and defined again, saved: the guest and its devices are served as before, or it is said why not."""

import os

import domain as domains
import libvirt
import payload
import process
from hostd import adapter, share, vm_settings
from show import need
from wait import wait_for


def play(lab):
    host = libvirt.here(lab)
    restored(lab, host)
    domain = domains.of_lab(lab, host)
    vm = vm_settings(domain, "dev", device_host=domain.device_host(), network=[adapter()],
                     shares=[share("c", lab.share_folder("dev"), "/mnt/c")],
                     payload=["/bin/sh", "-c", payload.COUNTING])
    hostd = lab.hostd([vm]).start()
    domain.start()
    served(lab, hostd, domain, 1)
    suspended(lab, hostd, domain)
    saved(lab, hostd, domain)
    reset(lab, hostd, domain)
    rebooted(lab, hostd, domain)
    undefined(lab, hostd, domain)
    destroyed(lab, hostd, domain)
    killed(lab, hostd, domain)
    need(not hostd.failures(), f"{hostd.failures()}")
    need("cannot write" not in domain.console(), "the guest saw an I/O error")
    lab.shut_down(hostd, domain, "dev")


def restored(lab, host):
    """What has no share can be saved, and is the same boot when it is restored."""
    domain = domains.of_lab(lab, host, "saved")
    hostd = lab.hostd([vm_settings(domain, "saved", device_host=domain.device_host(),
                                   network=[adapter()])]).start()
    domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    host.ask("managedsave", "saved")
    hostd.wait_event("GuestDisconnected", lab.seconds(20))
    lab.pause(1)
    domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    need(len({event["boot_id"] for event in hostd.events("GuestReady")}) == 1, "another boot")
    status, words = lab.run_in_guest(hostd, "saved", "ping", "-c", "1", "-W", "15", "10.0.2.2")
    need(status == 0 and domain.aliases() == ["ua-guestlink-net-eth0"],
         f"{status}: {words}; {domain.aliases()}")
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.shut_down(hostd, domain, "saved")
    lab.stop_daemons()
    hostd.telemetry_file.rename(hostd.folder / "saved.jsonl")
    lab.say("a domain without shares, saved and restored: the same boot")


def served(lab, hostd, domain, boots):
    """This many boots were, and the last one has its devices, once each."""
    hostd.wait_event("GuestReady", lab.seconds(60), count=boots)
    # A counter of before may still be there.
    lab.wait_counting("dev")
    need(domain.aliases() == ["ua-guestlink-net-eth0", "ua-guestlink-share-c"],
         f"{domain.aliases()}")
    applied, shares = hostd.events("ApplyGuestCapabilities"), hostd.events("AddVirtioFsShare")
    need(len({event["boot_id"] for event in applied}) == boots, f"not {boots} boots: {applied}")
    need(applied[-1]["token"] and applied[-1]["token"] in shares[-1]["options"],
         f"{applied[-1]}: {shares[-1]}")
    status, words = lab.run_in_guest(hostd, "dev", "ping", "-c", "1", "-W", "15", "10.0.2.2")
    need(status == 0, f"ping: {status}: {words}")
    folder = str(lab.folder / "shares" / "dev")
    servers = process.pids_with(folder)
    forked = [pid for server in servers for pid in process.children_of(server)]
    need(len(set(servers) - set(forked)) == 1, f"virtiofsd: {servers}")


def suspended(lab, hostd, domain):
    ended = len(hostd.events("GuestDisconnected"))
    domain.libvirt.ask("suspend", "dev")
    count = payload.count(lab.folder / "shares" / "dev")
    lab.pause(3)
    need(payload.count(lab.folder / "shares" / "dev") <= count + 1, "it runs on")
    domain.libvirt.ask("resume", "dev")
    served(lab, hostd, domain, 1)
    need(len(hostd.events("GuestDisconnected")) == ended, "the guest was given up")
    lab.say("suspended and resumed: the same boot")


def saved(lab, hostd, domain):
    """A virtiofs device cannot be saved, which libvirt says; the domain runs on."""
    for words in (("save", "dev", lab.sockets / "saved"), ("managedsave", "dev")):
        status, text = domain.libvirt.virsh(*words)
        need(status != 0, f"{words[0]} was not refused: {text}")
        need(domain.state() == "running", f"after {words[0]}: {domain.state()}")
        served(lab, hostd, domain, 1)
        lab.say(f"{words[0]}: refused, and it runs on: {' '.join(text.split())}")


def reset(lab, hostd, domain):
    pid = domain.pid()
    domain.libvirt.ask("reset", "dev")
    served(lab, hostd, domain, 2)
    need(domain.pid() == pid, "another QEMU")
    lab.say("reset: its devices are in line with the second boot")


def rebooted(lab, hostd, domain):
    pid = domain.pid()
    status, words = lab.control(hostd, "shutdown", "dev", "--reboot")
    need(status == 0, f"shutdown --reboot: {status}: {words}")
    served(lab, hostd, domain, 3)
    need(domain.pid() == pid, "another QEMU")
    lab.say("rebooted by itself: third boot")


def undefined(lab, hostd, domain):
    """Running, it is a transient one until it is defined again."""
    domain.libvirt.ask("undefine", "dev")
    lab.pause(0.5)
    served(lab, hostd, domain, 3)
    domain.define()
    served(lab, hostd, domain, 3)
    lab.say("undefined and defined again while it runs: nothing happened")
    domain.libvirt.ask("undefine", "dev")
    end(lab, hostd, domain, "destroy")
    need(lab.control(hostd, "list")[0] == 0, "list")
    domain.define().start()
    served(lab, hostd, domain, 4)
    lab.say("undefined, destroyed, defined, started: served")


def destroyed(lab, hostd, domain):
    end(lab, hostd, domain, "destroy")
    domain.start()
    served(lab, hostd, domain, 5)
    lab.say("destroyed and started: served")


def killed(lab, hostd, domain):
    pid = domain.pid()
    sockets = sockets_of(domain)
    process.kill_pid(pid)
    gone(lab, sockets)
    domain.wait_state("shut off", lab.seconds(20))
    domain.start()
    served(lab, hostd, domain, 6)
    lab.say("its QEMU killed, the domain started: served")


def sockets_of(domain):
    return [source.get("socket") for source in domain.live().iterfind("devices/filesystem/source")]


def end(lab, hostd, domain, how):
    before = len(hostd.events("GuestDisconnected"))
    sockets = sockets_of(domain)
    domain.libvirt.ask(how, "dev")
    hostd.wait_event("GuestDisconnected", lab.seconds(20), count=before + 1)
    gone(lab, sockets)


def gone(lab, sockets):
    folder = str(lab.folder / "shares" / "dev")
    wait_for("the end of virtiofsd and its socket", lab.seconds(20), lambda: not (
        process.pids_with(folder) or any(map(os.path.exists, sockets))))
