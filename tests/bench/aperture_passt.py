"""What an aperture costs an adapter that passt serves: as aperture.py has it for a share, with QEMU
and passt of the next Debian (`tests/lab/setup run newer`)."""

import os
import shutil
import socket
import threading

import newer
from aperture import (CPU, LEAST, SETUPS, STEPS, Ran, per_mib, relays_of, script)
from boots import ICOUNT
from guest import Guest, acceleration
from hostd import adapter
from network import Namespace, what_is_missing
from run import WORDS
from show import need

TITLE = "aperture of passt: what bouncing through the pool costs an adapter"
MIB = 16
MOVING = ("send", "receive")
GATEWAY = "10.0.3.2"


class Peer:
    """Takes what it is sent, and gives MIB to who asks as HTTP does."""

    def __init__(self):
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            peer, _ = self._sock.accept()
            with peer:
                if peer.recv(1) == b"G":
                    peer.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MIB << 20))
                    peer.sendall(bytes(MIB << 20))
                while peer.recv(1 << 18):
                    pass


def steps(port):
    return {LEAST: STEPS[LEAST],
            "send": (MIB, f"{{ echo s; dd if=/dev/zero bs=64k count={MIB * 16}; }} "
                          f"| nc {GATEWAY} {port}"),
            "receive": (MIB, f"wget -q -O - http://{GATEWAY}:{port}/ | wc -c >/run/got; "
                             f"grep -qx {MIB << 20} /run/got")}


def one_guest(lab, setup, rounds, namespace, port):
    name, kind = f"passt-{setup}", SETUPS[setup]
    linux, image = lab.image()
    guest = Guest(lab.folder / name, lab.sockets / name, linux, image,
                  f"quiet lab_kind={kind} {WORDS[kind] if kind == 'stock' else ''}",
                  extra=["-cpu", CPU, *ICOUNT], qemu=newer.qemu())
    network = [adapter(id="net3", dns=[], address=["10.0.3.15/24"], gateway=GATEWAY,
                       backend="passt", host_loopback=True)]
    settings = lab.usual_vm(guest, name, network=network, shares=[])
    settings["device_host"]["passt"] = str(lab.sockets / "passt")
    hostd = lab.hostd([settings], within=namespace.within)
    hostd.config["state_dir"] = str(lab.sockets / name / "state")
    hostd.telemetry_file = lab.folder / name / "telemetry.jsonl"
    hostd.config["telemetry"]["file"] = str(hostd.telemetry_file)
    hostd.start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(120), vm=name)
    (added,) = hostd.events("AddNetAdapter", vm=name)
    need(added["iommu_platform"] == (setup == "aperture"), f"{name}: {added}")
    relays = relays_of(hostd.process.pid)
    need(relays, f"{name}: no relay was found")
    ran = Ran(relays)
    status, words = lab.control(hostd, "exec", name, "--", "/bin/sh", "-c",
                                script(rounds, steps(port)), seconds=300)
    ran = ran.since()
    need(status == 0 and "failed" not in words, f"{name}: {status}: {words}")
    lab.shut_down(hostd, guest, name)
    hostd.process.stop(10)
    return {"million_instructions_per_mib": per_mib(words, rounds, steps(port)),
            "ran": {"relay": ran}}


def why_not():
    """Why nothing can be measured here, or None."""
    if acceleration()[1] != "tcg":
        return "guests are not emulated: their instructions cannot be counted"
    if not newer.qemu():
        return "QEMU and passt of the next Debian are not there (tests/lab/setup run newer)"
    return what_is_missing()


def measure(run, count):
    result = {"rounds": count, "left_out": why_not()}
    if result["left_out"]:
        return result
    namespace = Namespace(f"guestlink-bench-{os.getpid()}", "10.0.9.2/24")
    shutil.copy(newer.PASST, run.sockets / "passt")
    try:
        port = namespace.call(Peer).port
        for setup in SETUPS:
            print(f"aperture-passt: {setup}", flush=True)
            result[setup] = one_guest(run, setup, count, namespace, port)
    finally:
        namespace.remove()
    plain, pool = (result[setup]["million_instructions_per_mib"] for setup in SETUPS)
    result["ratio"] = {step: round(pool[step] / plain[step], 3) for step in MOVING}
    return result


def table(result):
    if result["left_out"]:
        yield f"left out: {result['left_out']}"
        return
    yield "10^6 instructions of the guest's for a MiB, without a pool, and through one (ratio)"
    for step in MOVING:
        plain, pool = (result[setup]["million_instructions_per_mib"][step] for setup in SETUPS)
        yield f"  {step:10} {plain:8.2f} {pool:8.2f} ({result['ratio'][step]:5.2f}x)"
    plain, pool = (result[setup]["ran"]["relay"] for setup in SETUPS)
    yield (f"  the relay ran {plain['times']} times, {plain['ms']} ms; {pool['times']} times, "
           f"{pool['ms']} ms")
