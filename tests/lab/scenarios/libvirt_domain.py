"""README's five minutes with a domain of libvirt's, as the manual page has it: shares, network, exec, ping, shutdown; nothing made twice by the next daemon."""

import os

import domain as domains
import libvirt
import payload
from hostd import adapter, share, vm_settings
from show import need
from wait import wait_for

POOL = 64 << 20
RINGS = 1 << 20


def play(lab):
    served(lab, libvirt.here(lab))


def served(lab, host):
    domain = domains.of_lab(lab, host)
    code, data = (lab.folder / "shares" / name for name in ("code", "data"))
    hostd = lab.hostd([vm_settings(
        domain, "dev", device_host=domain.device_host(), network=[adapter()],
        shares=[share("code", code, "/mnt/code", read_only=True), share("data", data, "/mnt/data")],
        payload=["/bin/sh", "-c", payload.COUNTING.replace("/mnt/c", "/mnt/data")])]).start()
    (code / "hello").write_text("hello from the host\n")
    domain.start()
    ready = hostd.wait_event("GuestReady", lab.seconds(60))
    lab.say(f"ready, {ready['host_ready_ms']} ms after it called")
    telemetry(lab, hostd)
    five_minutes(lab, hostd, data)
    in_libvirt(lab, domain)
    doctor(lab, hostd)
    next_daemon(lab, hostd, domain, data)
    by_hand(lab, hostd, domain)
    the_end(lab, hostd, domain)
    again(lab, hostd, domain)
    need(not hostd.failures(), f"{hostd.failures()}")


def telemetry(lab, hostd):
    """As the QEMU device host's."""
    token = hostd.wait_event("ApplyGuestCapabilities", lab.seconds(5))["token"]
    need(token.startswith("swiotlb=0x"), f"token {token!r}")
    expected = f"{token};vmId={hostd.config['vms'][0]['id']}"
    shares = {event["tag"]: event for event in hostd.events("AddVirtioFsShare")}
    need(sorted(shares) == ["code", "data"], f"{shares}")
    need(shares["code"]["options"] == f"ro;{expected}" and shares["data"]["options"] == expected,
         f"expected {expected}: {shares}")
    how = ("narrowed", "enforced")[os.path.exists("/dev/udmabuf")]
    for tag, event in shares.items():
        need(event["created"] and event["iommu_platform"] and event["aperture"] == how and
             POOL <= event["apertureBytes"] <= POOL + RINGS, f"{tag}: {event}")
    (net,) = hostd.events("AddNetAdapter")
    need(net["options"] == expected and net["iommu_platform"] and net["created"], f"{net}")
    for name, count in (("MountShare", 2), ("ConfigureNetwork", 1)):
        told = hostd.events(name)
        need(len(told) == count and all(event["error"] == 0 for event in told), f"{told}")
    need(not hostd.failures(), f"{hostd.failures()}")
    lab.say(f"two shares and an adapter: {expected}; {how}")


def five_minutes(lab, hostd, data):
    """README's commands."""
    def run(*words):
        status, text = lab.run_in_guest(hostd, "dev", *words)
        need(status == 0, f"{words}: {status}: {text}")
        return text

    need(lab.control(hostd, "list")[1].count("ready") == 1, f"{lab.control(hostd, 'list')}")
    status, words = lab.control(hostd, "show", "dev")
    need(status == 0 and "virtiofsd of share code can reach 64.0 MiB + " in words, f"show: {words}")
    need(run("/bin/busybox", "cat", "/mnt/code/hello") == "hello from the host\n", "not read")
    run("/bin/sh", "-c", "busybox hostname >/mnt/data/from-guest")
    need((data / "from-guest").read_text() == "dev\n", "not written")
    run("/bin/busybox", "ping", "-c", "1", "-W", "15", "10.0.2.2")
    status, words = lab.run_in_guest(hostd, "dev", "sh", "-c", "touch /mnt/code/new")
    need(status != 0 and "Read-only" in words, f"code is not read-only: {status}: {words}")
    slots = run("cat", "/sys/kernel/debug/swiotlb/io_tlb_used")
    need(int(slots) > 0, f"nothing bounces: {slots}")
    lab.say(f"read, written, pinged; {slots.strip()} slots of the pool in use")


def in_libvirt(lab, domain):
    need(domain.aliases() == ["ua-guestlink-net-eth0", "ua-guestlink-share-code",
                              "ua-guestlink-share-data"], f"{domain.aliases()}")
    label = domain.live().find("seclabel[@model='dac']/label").text
    for source in domain.live().iterfind("devices/filesystem/source"):
        there = os.stat(source.get("socket"))
        need(label == f"+{there.st_uid}:+{there.st_gid}", f"{label}: {there}")
    lab.say(f"aliases {', '.join(domain.aliases())}; sockets of {label}")


def doctor(lab, hostd):
    status, words = lab.control(hostd, "doctor", "dev")
    need(status == 0, f"doctor: {status}: {words}")
    lab.say("doctor has nothing against it")


def next_daemon(lab, hostd, domain, data):
    before = domain.aliases()
    hostd.process.kill()
    hostd.process.wait()
    count = payload.count(data)
    wait_for("the payload without a daemon", lab.seconds(20), lambda: payload.count(data) > count + 1)
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    for name in ("AddVirtioFsShare", "AddNetAdapter"):
        made = hostd.events(name, created=True)
        need(len(made) == (1, 2)[name == "AddVirtioFsShare"], f"made twice: {made}")
    need(domain.aliases() == before, f"{domain.aliases()}")
    need("cannot write" not in domain.console(), "the payload saw an I/O error")
    lab.say("the next daemon made nothing twice")


def by_hand(lab, hostd, domain):
    """A share and an adapter that come and go while the domain runs."""
    vm = hostd.config["vms"][0]
    folder = lab.folder / "shares" / "more"
    vm["shares"].append(share("my_more", folder, "/mnt/more"))
    hostd.reload()
    hostd.wait_event("MountShare", lab.seconds(30), tag="my_more", error=0)
    need("my_more" in domain.tags(), f"{domain.tags()}")
    status, words = lab.run_in_guest(hostd, "dev", "sh", "-c", "echo more >/mnt/more/there")
    need(status == 0 and (folder / "there").read_text() == "more\n", f"{status}: {words}")
    vm["shares"].pop()
    network = vm.pop("network")
    hostd.reload()
    hostd.wait_event("RemoveVirtioFsShare", lab.seconds(30), tag="my_more")
    hostd.wait_event("RemoveNetAdapter", lab.seconds(30), id="eth0")
    wait_for("libvirt to have two shares alone", lab.seconds(10), lambda: domain.aliases() == [
        "ua-guestlink-share-code", "ua-guestlink-share-data"])
    vm["network"] = network
    hostd.reload()
    hostd.wait_event("AddNetAdapter", lab.seconds(30), count=2, created=True)
    status, words = wait_for("a ping", lab.seconds(30), lambda: (
        got := lab.run_in_guest(hostd, "dev", "ping", "-c", "1", "-W", "5", "10.0.2.2"))[0] == 0 and got)
    lab.say("a share and an adapter came and went")


def the_end(lab, hostd, domain):
    sockets = [source.get("socket") for source in domain.live().iterfind("devices/filesystem/source")]
    lab.shut_down(hostd, domain, "dev")
    hostd.wait_event("GuestFarewell", lab.seconds(10))
    wait_for("the end of virtiofsd's sockets", lab.seconds(20),
             lambda: not any(map(os.path.exists, sockets)))
    lab.say("shut off, and nothing is left of its shares")


def again(lab, hostd, domain):
    before = len(hostd.events("GuestReady"))
    domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=before + 1)
    need(domain.tags() == ["code", "data"] and len(domain.macs()) == 1,
         f"{domain.tags()}, {domain.macs()}")
    lab.shut_down(hostd, domain, "dev")
    lab.say("started again, and served")
