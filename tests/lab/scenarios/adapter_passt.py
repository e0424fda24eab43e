"""An adapter that a passt serves behind the relay: bounced through the pool, narrowed, lives through passt's and the relay's end; ports that it publishes; and a clear word where it cannot be had."""

import os
import pathlib
import shutil
import socket
import subprocess
import threading

import newer
import process
from download import Server
from hostd import adapter
from image import Image
from kernel import Kernel
from network import Namespace, what_is_missing
from show import need
from wait import wait_for

NEEDS = "newer"
UDMABUF = os.path.exists("/dev/udmabuf")  # either way
POOL = 64 << 20
# Of a ring's 1,024 entries at most: descriptors, and a page or two for each of the others.
RINGS = 64 << 10


def play(lab):
    why = what_is_missing()
    if why:
        lab.skip(f"a network namespace: {why}")
    qemu = newer.qemu()
    if not qemu:
        lab.skip("QEMU and passt of the next Debian could not be fetched")
    namespace = Namespace(f"guestlink-{os.getpid()}", "10.0.9.2/24")
    shutil.copy(newer.PASST, lab.sockets / "passt")
    try:
        served(lab, namespace, qemu)
        refused(lab, namespace)
    finally:
        namespace.remove()


def on(number, **more):
    return adapter(id=f"net{number}", mac=f"52:54:00:12:34:{number:02x}", dns=[],
                   address=[f"10.0.{number}.15/24"], backend="passt",
                   **{"gateway": f"10.0.{number}.2", **more})


def vm_of(lab, guest, network, program, name="lab"):
    settings = lab.usual_vm(guest, name, network=network, shares=[])
    settings["device_host"]["passt"] = str(program)
    return settings


def served(lab, namespace, qemu):
    server = namespace.call(Server)
    image = Image(Kernel("cloud")).add_init().add_program("/bin/services", lab.compile("services"))
    guest = lab.guest("lab", "stock", image=image, qemu=qemu)
    settings = vm_of(lab, guest, [on(3, host_loopback=True, publish=["0.0.0.0:8003:7", "8003:7/udp"]),
                                  on(4, publish=["127.0.0.1:8004:7"])], lab.sockets / "passt")
    settings["payload"] = {"argv": ["/bin/services"], "restart": "always"}
    hostd = lab.hostd([settings], within=namespace.within).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(90))
    guest.wait_console("services can be called", lab.seconds(20))
    narrowed(lab, hostd)
    fetch(lab, hostd, server, "8 MiB")
    bounced(lab, hostd)
    jailed(lab, hostd)
    loopback_is_closed(lab, hostd, server)
    published(lab, namespace)
    passt_killed(lab, hostd, server)
    relay_killed(lab, hostd, server)
    hostd_restarted(lab, hostd, server)
    come_and_go(lab, hostd, guest, server, namespace)
    need(len(hostd.failures()) == 2, f"not the keeper's end and the taken port: {hostd.failures()}")
    ends_at_once(lab, hostd)
    lab.shut_down(hostd, guest)
    wait_for("the end of passt", lab.seconds(20), lambda: not passts(lab, 3) + passts(lab, 4))
    need(hostd.process.stop(lab.seconds(20)) == 0, f"hostd: {hostd.log()}")


def narrowed(lab, hostd):
    """The device is told as what it is."""
    for name in ("net3", "net4"):
        event = hostd.wait_event("AddNetAdapter", lab.seconds(5), id=name)
        need(event["iommu_platform"], f"{event}")
        expected = ("narrowed", "enforced")[os.path.exists("/dev/udmabuf")]
        need(event["aperture"] == expected and POOL < event["apertureBytes"] <= POOL + RINGS,
             f"{event}")
        lab.say(f"{name}: {event['aperture']}, {event['apertureBytes']} bytes")
    status, words = lab.control(hostd, "show", "lab")
    need("passt of adapter net3 can reach 64.0 MiB + " in words, f"{status}: {words}")


def fetch(lab, hostd, server, what):
    """8 MiB over HTTP by the adapter, byte for byte."""
    status, words = lab.control(
        hostd, "exec", "lab", "--", "/bin/sh", "-c",
        f"wget -q -O - {server.url('10.0.3.2')} | sha256sum", seconds=120)
    need(words.split()[:1] == [server.digest], f"{what}: {status}: {words}")
    lab.say(f"{what}: equal")


def bounced(lab, hostd):
    status, words = lab.run_in_guest(hostd, "lab", "cat",
                                     "/sys/kernel/debug/swiotlb/io_tlb_used")
    need(status == 0 and int(words) > 0, f"nothing bounces: {status}: {words}")
    lab.say(f"{words.strip()} slots of the pool in use")


def jailed(lab, hostd):
    """By the host's own view: nobody's user, with processes, mounts and users of its own, and the
    network of who started it."""
    pid = passt_of(lab, 3)
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        status = dict(line.split(":", 1) for line in file.read().splitlines())
    need("0" not in status["Uid"].split() + status["Gid"].split(), f"{status['Uid']}")
    need(status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1", f"{status}")
    need(not os.listdir(f"/proc/{pid}/root"), f"it sees {os.listdir(f'/proc/{pid}/root')}")
    for name in ("pid", "mnt", "user", "ipc", "uts", "net"):
        same = os.readlink(f"/proc/{pid}/ns/{name}") == \
            os.readlink(f"/proc/{hostd.process.pid}/ns/{name}")
        need(same == (name == "net"), f"namespace {name}")
    lab.say(f"passt is user {status['Uid'].split()[0]}, in namespaces of its own, and sees no file")


def loopback_is_closed(lab, hostd, server):
    before = server.asked
    for address in ("10.0.4.2", "10.0.4.15"):
        status, words = lab.run_in_guest(hostd, "lab", "timeout", "4", "wget", "-q", "-O", "-",
                                         server.url(address))
        need(status != 0 and server.asked == before, f"{address} is the host's loopback: {words}")
    lab.say("without host_loopback, its gateway is nobody")


def published(lab, namespace):
    """From the host's loopback, and for net3 from another address of the host's; half-closed, too."""
    for address, port in (("127.0.0.1", 8003), ("10.0.6.2", 8003), ("127.0.0.1", 8004)):
        sock = wait_for(f"port {port}", lab.seconds(30), lambda at=(address, port): called(namespace, at))
        with sock:
            sock.settimeout(lab.seconds(20))
            sock.sendall(b"hello\n")
            need(sock.recv(100) == b"hello\n", "other words")
            sock.shutdown(socket.SHUT_WR)
            need(sock.recv(100) == b"end\n", "no end")
    with namespace.call(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(lab.seconds(20))
        sock.sendto(b"hello", ("127.0.0.1", 8003))
        need(sock.recv(100) == b"hello", "UDP: other words")
    need(called(namespace, ("10.0.6.2", 8004)) is None, "net4 listens on every address")
    lab.say("published ports: TCP, half-closed, and UDP")


def called(namespace, at):
    try:
        sock = namespace.call(socket.create_connection, at, 10)
    except OSError:
        return None
    return sock


def taken(lab, hostd, namespace):
    """No passt is started for a port that somebody else has."""
    vm = hostd.config["vms"][0]
    with namespace.call(socket.create_server, ("127.0.0.1", 8005)):
        vm["network"][1]["publish"] = ["127.0.0.1:8005:7"]
        before = len(hostd.failures("adapter"))
        hostd.reload()
        event = wait_for("DeviceFailed", lab.seconds(30), lambda: hostd.failures("adapter")[before:])[0]
        need("127.0.0.1:8005:7" in event["text"] and "Address already in use" in event["text"], f"{event}")
        lab.say(f"told: {event['text']}")
        need(not passts(lab, 4), "a passt for it")
    added = len(hostd.events("ConfigureNetwork", id="net4", error=0))
    vm["network"][1]["publish"] = ["127.0.0.1:8004:7"]
    hostd.reload()
    hostd.wait_event("ConfigureNetwork", lab.seconds(60), count=added + 1, id="net4", error=0)


def ends_at_once(lab, hostd):
    """A passt that never serves is not started again and again."""
    vm = hostd.config["vms"][0]
    program = lab.sockets / "passt"
    program.unlink()
    shutil.copy(lab.compile("passt_ends"), program)
    vm["network"][1]["mtu"] = 1400
    before = len(hostd.failures("adapter"))
    hostd.reload()
    failed = wait_for("DeviceFailed", lab.seconds(60), lambda: hostd.failures("adapter")[before:])
    lab.say(f"told: {failed[0]['text']}")
    lab.pause(4)
    failed = hostd.failures("adapter")[before:]
    need(len(failed) <= 8 and "no such port" in failed[0]["text"], f"{len(failed)}: {failed}")
    lab.say(f"told {len(failed)} times")


def passt_killed(lab, hostd, server):
    """In the middle of a transfer."""
    server.half.clear()
    server.go_on.clear()
    words = []
    transfer = threading.Thread(target=lambda: words.extend(lab.control(
        hostd, "exec", "lab", "--", "timeout", "10", "wget", "-q", "-O", "/dev/null",
        server.url("10.0.3.2"), seconds=60)))
    transfer.start()
    need(server.half.wait(lab.seconds(30)), "no transfer begins")
    pid = passt_of(lab, 3)
    process.kill_pid(pid)
    server.go_on.set()
    transfer.join()
    need(words[0] != 0, "passt was killed and the transfer held")
    event = hostd.wait_event("DeviceFailed", lab.seconds(20), device="net3")
    need(event["error"] == 0 and "passt: killed by signal 9 (Killed)" in event["text"], f"{event}")
    fetch(lab, hostd, server, f"after passt's end ({event['text']})")
    need(passt_of(lab, 3) != pid, "it is the same one")
    need(len(hostd.events("AddNetAdapter", id="net3")) == 1, "the adapter was made again")


def relay_killed(lab, hostd, server):
    """And its passt with it; the keeper makes another one."""
    relays = []
    pid = process.parent_of(passt_of(lab, 3))
    while "guestlink-virtiofs-relay" in process.command_of(pid):
        relays, pid = [*relays, pid], process.parent_of(pid)
    need(len(relays) == 3, f"{relays}: outside of the jail, relay, keeper")
    process.kill_pid(relays[1])
    process.wait_gone("the relay", relays[1], lab.seconds(20))
    fetch(lab, hostd, server, "after the relay's end")
    need(len(hostd.events("AddNetAdapter", id="net3")) == 1, "the adapter was made again")
    # With the keeper, the daemon loses sight of it, and makes the adapter again.
    process.kill_pid(relays[2])
    event = wait_for("telemetry event DeviceFailed", lab.seconds(20), hostd.failures)[0]
    need(event["device"] == "net3" and event["phase"] == "serve", f"{event}")
    hostd.wait_event("AddNetAdapter", lab.seconds(60), count=2, id="net3")
    hostd.wait_event("ConfigureNetwork", lab.seconds(60), count=2, id="net3", error=0)
    fetch(lab, hostd, server, "after the keeper's end")


def hostd_restarted(lab, hostd, server):
    pid = passt_of(lab, 3)
    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=2)
    need(passt_of(lab, 3) == pid, "another daemon started another passt")
    fetch(lab, hostd, server, "by the next daemon")


def come_and_go(lab, hostd, guest, server, namespace):
    vm = hostd.config["vms"][0]
    whole = vm["network"]
    vm["network"] = whole[1:]
    hostd.reload()
    hostd.wait_event("RemoveNetAdapter", lab.seconds(60), id="net3")
    wait_for("the end of its passt", lab.seconds(20), lambda: not passts(lab, 3))
    left = [one["label"] for one in guest.ask_qemu("query-chardev")
            if one["label"].startswith("guestlink-net-")]
    need(len(left) == 1, f"left in QEMU: {left}")
    vm["network"] = whole
    added = len(hostd.events("ConfigureNetwork", id="net3", error=0))
    hostd.reload()
    hostd.wait_event("ConfigureNetwork", lab.seconds(60), count=added + 1, id="net3", error=0)
    fetch(lab, hostd, server, "gone and back")
    published(lab, namespace)
    taken(lab, hostd, namespace)


def passts(lab, number):
    """The pids of the passts of that adapter."""
    return [pid for pid in process.pids_with(f"{lab.sockets}/passt ")
            if f"10.0.{number}.15" in process.command_of(pid)]


def passt_of(lab, number):
    return wait_for(f"one passt of net{number}", lab.seconds(20),
                    lambda: len(found := passts(lab, number)) == 1 and found)[0]


def refused(lab, namespace):
    """Debian 12's own QEMU 7.2 and passt, which can do it neither of them."""
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    old = shutil.which("passt")
    guest = lab.guest("old", "stock")
    settings = vm_of(lab, guest, [on(3)], "passt", name="old")
    script = lab.sockets / "script"
    script.write_text("#!/bin/sh\nexec passt \"$@\"\n")
    script.chmod(0o755)
    programs = [(script, "is a script", "name the program itself"),
                ("/nonexistent/passt", "/nonexistent/passt", "install passt")]
    if "version 7." in qemu:
        programs.append((lab.sockets / "passt", "QEMU 7.2 cannot hot-plug", "install QEMU 10.0"))
    if old and b"vhost-user" not in pathlib.Path(old).read_bytes():
        programs.append((old, f"{old} is too old for vhost-user", "install one with"))
    hostd = lab.hostd([settings], within=namespace.within)
    guest.start()
    for program, *parts in programs:
        settings["device_host"]["passt"] = str(program)
        hostd.start()
        lab.say(wait_for(f"DeviceFailed with {parts}", lab.seconds(20), lambda: [
            event for event in hostd.failures("adapter")
            if all(part in event["text"] for part in parts)])[0]["text"])
        status, words = lab.control(hostd, "doctor", "--config", str(hostd.config_file))
        need(parts[1] in words and
             ("QEMU 7.2 does not support adapters" if program == lab.sockets / "passt" else str(program))
             in words, f"doctor: {status}: {words}")
        need(hostd.process.stop(lab.seconds(20)) == 0, hostd.log())
    hostd.start()
    wait_for("the guest", lab.seconds(20),
             lambda: lab.control(hostd, "capabilities", "old", "--refresh")[0] == 0)
    lab.shut_down(hostd, guest, "old")
