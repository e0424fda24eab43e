"""Adapters at a tap device, at passt and at another stream socket: traffic passes, options are the same, they come and go."""

import copy
import os
import shutil

import process
from hostd import adapter
from listener import ANSWER, Listener
from network import Namespace, StreamPeer, what_is_missing
from show import need
from wait import wait_for


def play(lab):
    why = what_is_missing()
    if why:
        lab.skip(f"a tap device in a network namespace: {why}")
    if not shutil.which("passt"):
        lab.skip("passt is not installed")
    namespace = Namespace(f"guestlink-{os.getpid()}", "10.0.3.2/24")
    try:
        with_network(lab, namespace)
    finally:
        namespace.remove()


def with_network(lab, namespace):
    listener = namespace.call(Listener, "")
    peer = StreamPeer(lab.sockets / "peer", "10.0.5.2")
    # As root it would give up root, and then not get at the lab's folder.
    passt = process.Process("passt", [*namespace.within, "passt", "-f", "--runas", "0", "--socket",
                                      lab.sockets / "passt", "-a", "10.0.4.15", "-n", "24", "-g",
                                      "10.0.4.2", "--no-map-gw"], lab.folder / "passt.log")
    wait_for("passt's socket", lab.seconds(20), (lab.sockets / "passt").exists)
    guest = lab.guest("lab", "published", within=namespace.within)
    hostd = lab.hostd([lab.usual_vm(guest, network=adapters(lab))]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    options_are_the_same(lab, hostd)
    traffic(lab, hostd, listener, peer)
    come_and_go(lab, hostd, guest)
    traffic(lab, hostd, listener, peer)
    need(not hostd.failures(), f"{hostd.failures()}")
    nobody_there(lab, hostd)
    need(passt.alive(), "passt ended")
    lab.shut_down(hostd, guest)


def on(number, **more):
    return adapter(id=f"net{number}", mac=f"52:54:00:12:34:{number:02x}", gateway=[], dns=[],
                   address=[f"10.0.{number}.15/24"], **more)


def adapters(lab):
    return [on(2), on(3, backend="tap", interface="tap0"),
            on(4, backend="stream", socket=str(lab.sockets / "passt"),
               routes=[{"to": "10.0.6.0/24", "via": "10.0.4.2"}]),
            on(5, backend="stream", socket=str(lab.sockets / "peer"))]


def options_are_the_same(lab, hostd):
    token = hostd.wait_event("ApplyGuestCapabilities", lab.seconds(5))["token"]
    expected = f"{token};vmId={hostd.config['vms'][0]['id']}"
    added = {event["id"]: event for event in hostd.events("AddNetAdapter")}
    need(len(added) == 4, f"{list(added)}")
    for event in added.values():
        need(event["options"] == expected and event["iommu_platform"],
             f"{expected} and iommu_platform expected: {event}")
    share = hostd.events("AddVirtioFsShare")[0]
    need(share["options"] == expected, f"{share}")
    if not share["iommu_platform"]:
        need("iommu_platform" in share.get("text", ""), f"nothing is said of a refusal: {share}")
    lab.say(f"four adapters and the share: {expected}; share: {share.get('text')}")


def traffic(lab, hostd, listener, peer):
    for word, address in (("user", "10.0.2.2"), ("tap", "10.0.3.2"), ("passt", "10.0.6.2")):
        # Whoever has the answer hangs up: passt of 2023 does not pass on a second half's end.
        status, words = lab.run_in_guest(
            hostd, "lab", "nc", "-w", "15", address, str(listener.port), "-e",
            "/bin/sh", "-c", f"echo {word}; read answer; echo $answer >&2")
        need(words.strip() == ANSWER.decode().strip() and listener.heard[-1] == word,
             f"{word}: {status}: {words!r}; heard: {listener.heard}")
    before = len(listener.heard)
    status, words = lab.run_in_guest(hostd, "lab", "nc", "-w", "5", "10.0.4.2", str(listener.port))
    need(not words.startswith(ANSWER.decode()) and len(listener.heard) == before,
         f"passt's gateway is the host's loopback: {status}: {words!r}")
    before = peer.pings
    status, words = lab.run_in_guest(hostd, "lab", "ping", "-c", "1", "-W", "15", "10.0.5.2")
    need(status == 0 and peer.pings > before, f"ping of the peer: {status}: {words}")
    lab.say("bytes by user, tap, passt and stream, there and back")


def come_and_go(lab, hostd, guest):
    vm = hostd.config["vms"][0]
    whole = copy.deepcopy(vm["network"])
    vm["network"] = whole[:1]
    hostd.reload()
    for one in whole[1:]:
        hostd.wait_event("RemoveNetAdapter", lab.seconds(30), id=one["id"])
    network = guest.ask_qemu("human-monitor-command", **{"command-line": "info network"})
    need(network.count("guestlink-net-net") == 1, f"left in QEMU: {network}")
    status, words = lab.run_in_guest(hostd, "lab", "ls", "/sys/class/net")
    need(len(words.split()) == 2, f"left in the guest: {status}: {words}")
    lab.say("three are gone, from QEMU and from the guest")
    vm["network"] = whole
    hostd.reload()
    for one in whole[1:]:
        hostd.wait_event("AddNetAdapter", lab.seconds(30), count=2, id=one["id"])
        hostd.wait_event("ConfigureNetwork", lab.seconds(30), count=2, id=one["id"], error=0)
    lab.say("and back")


def nobody_there(lab, hostd):
    """QEMU would take such an adapter without a word."""
    socket = str(lab.sockets / "nobody")
    hostd.config["vms"][0]["network"].append(on(6, backend="stream", socket=socket))
    hostd.reload()
    event = hostd.wait_failure(lab.seconds(20), "adapter")
    need(event["device"] == "net6" and socket in event["text"], f"{event}")
    lab.say(f"an adapter to nobody: {event['text']}")
