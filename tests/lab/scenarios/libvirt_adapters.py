"""A domain's adapters at libvirt's user network, a network of libvirt's, a bridge, and a tap device: bytes on each, the same options, mtu in the guest alone; they come and go."""

import copy
import os

import domain as domains
import libvirt
from hostd import adapter, vm_settings
from listener import ANSWER, Listener
from network import Namespace, what_is_missing
from show import need
from wait import wait_for

NETWORK = """<network>
  <name>lab</name>
  <forward mode='bridge'/>
  <bridge name='br0'/>
</network>
"""
# A network's on a bridge is a bridge's in the live XML, and still names its network.
KINDS = {"net2": "user", "net3": "bridge", "net4": "bridge", "net5": "ethernet"}


def play(lab):
    why = what_is_missing()
    if why:
        lab.skip(f"a bridge in a network namespace: {why}")
    namespace = Namespace(f"guestlink-{os.getpid()}", "10.0.3.2/24")
    try:
        in_namespace(lab, namespace)
    finally:
        namespace.remove()


def on(number, **more):
    return adapter(id=f"net{number}", mac=f"52:54:00:12:34:{number:02x}", gateway=[], dns=[],
                   mtu=1400, address=[f"10.0.{number}.15/24"], **more)


def in_namespace(lab, namespace):
    host = libvirt.here(lab, within=namespace.within)
    (lab.folder / "network.xml").write_text(NETWORK)
    host.ask("net-define", lab.folder / "network.xml")
    host.ask("net-start", "lab")
    listener = namespace.call(Listener, "")
    domain = domains.of_lab(lab, host)
    # The bridge is at 10.0.3.2: each of its adapters has another address of that network.
    network = [on(2), on(3, backend="bridge", bridge="br0"),
               on(4, backend="network", network="lab") | {"address": ["10.0.3.16/24"]},
               on(5, backend="tap", interface="tap0") | {"address": ["10.0.3.17/24"]}]
    hostd = lab.hostd([vm_settings(domain, "dev", device_host=domain.device_host(),
                                   network=network)], within=namespace.within).start()
    domain.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    need(not hostd.failures(), f"{hostd.failures()}")
    same_options(lab, hostd, domain)
    traffic(lab, hostd, listener)
    next_daemon(lab, hostd)
    come_and_go(lab, hostd, domain)
    traffic(lab, hostd, listener)
    need(not hostd.failures(), f"{hostd.failures()}")
    refused(lab, hostd, host)
    lab.shut_down(hostd, domain, "dev")


def same_options(lab, hostd, domain):
    token = hostd.wait_event("ApplyGuestCapabilities", lab.seconds(5))["token"]
    expected = f"{token};vmId={hostd.config['vms'][0]['id']}"
    added = {event["id"]: event for event in hostd.events("AddNetAdapter")}
    need(sorted(added) == sorted(KINDS), f"{list(added)}")
    for event in added.values():
        need(event["options"] == expected and event["iommu_platform"], f"{expected}: {event}")
    kinds = {one.find("alias").get("name"): one.get("type")
             for one in domain.live().iterfind("devices/interface")}
    need(kinds == {f"ua-guestlink-net-{name}": kind for name, kind in KINDS.items()}, f"{kinds}")
    lab.say(f"four adapters: {expected}")


def traffic(lab, hostd, listener):
    """By each: the others of that network are down meanwhile."""
    for mac in range(2, 6):
        status, name = lab.run_in_guest(
            hostd, "dev", "sh", "-c",
            f"cd /sys/class/net && grep -l 52:54:00:12:34:{mac:02x} */address | cut -d / -f 1")
        need(status == 0 and name.strip(), f"net{mac} is not in the guest: {status}: {name}")
        name = name.strip()
        address = "10.0.2.2" if mac == 2 else "10.0.3.2"
        status, words = lab.run_in_guest(
            hostd, "dev", "sh", "-c", f"cat /sys/class/net/{name}/mtu; "
            f"ip route add {address}/32 dev {name} && echo net{mac} | nc -w 15 {address} "
            f"{listener.port}; ip route del {address}/32 dev {name}")
        need(words == f"1400\n{ANSWER.decode()}" and listener.heard[-1] == f"net{mac}",
             f"net{mac}: {status}: {words!r}; heard: {listener.heard}")
    lab.say("bytes by user, bridge, network and tap, there and back")


def next_daemon(lab, hostd):
    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    made = hostd.events("AddNetAdapter", created=True)
    need(len(made) == 4, f"made again: {made[4:]}")
    lab.say("the next daemon finds all four")


def come_and_go(lab, hostd, domain):
    vm = hostd.config["vms"][0]
    whole = copy.deepcopy(vm["network"])
    vm["network"] = whole[:1]
    hostd.reload()
    for one in whole[1:]:
        hostd.wait_event("RemoveNetAdapter", lab.seconds(30), id=one["id"])
    wait_for("one adapter in libvirt", lab.seconds(10), lambda: len(domain.macs()) == 1)
    vm["network"] = whole
    hostd.reload()
    for one in whole[1:]:
        hostd.wait_event("ConfigureNetwork", lab.seconds(30), count=2, id=one["id"], error=0)
    lab.say("three were taken away and given back")


def refused(lab, hostd, host):
    """libvirt's own words reach the user, with what to do."""
    host.ask("net-destroy", "lab")
    hostd.config["vms"][0]["network"].append(
        on(6, backend="network", network="lab") | {"address": ["10.0.3.18/24"]})
    hostd.reload()
    event = hostd.wait_failure(lab.seconds(20), "adapter")
    need(event["device"] == "net6" and "network 'lab' is not active" in event["text"], f"{event}")
    lab.say(f"a network that is not started: {event['text']}")
