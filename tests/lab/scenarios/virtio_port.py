"""Over a virtio port a call begins with the guest's first byte; a payload's flood loses not its end."""

import json

from guest import reconnecting
from image import Image
from kernel import Kernel
from show import need

PORT = "guestlink"
HOST = f"guestlink.host=virtio-port:{PORT} guestlink.modules=virtio_pci,virtio_console"
PRINTED = 20000
FLOOD = (f"i=0; while [ $i -lt {PRINTED} ]; do i=$((i+1)); echo line $i; done; "
         "echo last words >&2; exit 3")
CALL_MS, CONNECT_MS = 1500, 2000  # the second is the longer one


def play(lab):
    door = lab.sockets / "port"
    guest = lab.guest("lab", cmdline=HOST, vsock_device=False,
                      image=Image(Kernel(), ["virtio_console"]).add_init(),
                      extra=["-S", "-device", "virtio-serial-pci",
                             "-chardev", f"socket,id=port,path={door},{reconnecting()}",
                             "-device", f"virtserialport,chardev=port,name={PORT}"])
    settings = lab.usual_vm(guest, socket=str(door), shares=[], network=[],
                            payload={"argv": ["/bin/sh", "-c", FLOOD], "output": True},
                            timeouts_ms={"connect": CONNECT_MS, "capabilities": CALL_MS})
    hostd = lab.hostd([settings]).start()
    guest.start()
    # QEMU has connected, and its guest does not run yet.
    late = hostd.wait_event("GuestTimeout", lab.seconds(30))
    need(late["phase"] == "connect", f"{late}")
    guest.ask_qemu("cont")
    ready = hostd.wait_event("GuestReady", lab.seconds(60))
    need(not hostd.events("HandshakeTimeout"), f"{hostd.events('HandshakeTimeout')}")
    check_times(lab, hostd, ready)
    check_output(lab, hostd)
    lab.shut_down(hostd, guest)


def check_times(lab, hostd, ready):
    """The kernel's boot, and the time before it, are in nothing that counts from the call."""
    status, words = lab.control(hostd, "--json", "timeline", "lab")
    need(status == 0, words)
    timings = json.loads(words)
    need(timings["capabilities_ms"] < CALL_MS, f"the handshake took {timings}")
    behind = (timings["guest_ready_ns"] - timings["guest_sent_ns"]) / 1e6
    need(timings["ready_ms"] < behind + CALL_MS, f"READY {timings['ready_ms']} ms after the call, "
         f"expected some more than {behind:.0f}")
    status, words = lab.control(hostd, "metrics")
    sums = {line.split()[0]: float(line.split()[1]) for line in words.splitlines()
            if "_seconds_sum" in line}
    need(sums["guestlink_handshake_seconds_sum"] < CALL_MS / 1000, f"{sums}")
    lab.say(f"handshake {timings['capabilities_ms']} ms, ready {ready['host_ready_ms']} ms behind it")


def check_output(lab, hostd):
    """What the payload printed last is told, and that it ended; what is not shown is counted."""
    ended = hostd.wait_event("ChildExit", lab.seconds(60))
    need(ended["status"] == 3 and ended["role"] == "payload", f"{ended}")
    need("last words\n" in ended["output"] and f"line {PRINTED}\n" in ended["output"],
         f"the output ends with {ended['output'][-200:]!r}")
    log = hostd.log().splitlines()
    at = next(number for number, line in enumerate(log) if "exited with status 3" in line)
    words = "\n".join(log[at - 10:at])
    need("payload: last words" in words and f"payload: line {PRINTED}" in words, words)
    shown = sum("payload: line" in line for line in log)
    need(shown < PRINTED, f"all {shown} lines are in the log")
    dropped = hostd.wait_event("EventsDropped", lab.seconds(30))
    need(dropped["reason"] == "payload-output-rate", f"{dropped}")
    lab.say(f"{shown} of {PRINTED} lines are in the log, and the last")
