"""One guest from power-on to power-off, each step checked from what it left behind: the guest's
console, the host's files, telemetry."""

import json
import os
import subprocess

import payload
import vsock
from guest import acceleration
from listener import ANSWER
from show import need
from wait import patient, wait_for

# Seconds. Software emulation boots in 3; a machine of many guests, or one in another, is slower.
SLOW = patient(60)
SOON = patient(20)

SLOT = 2048  # bytes: Linux' IO_TLB_SIZE
# One read of 240 KiB takes 120; an adapter at rest gives and takes a few.
SLOTS_OF_A_READ = 100
# How much of the pool is in use: before, the most seen while the share is read over and over, the
# whole, and the kernel's own high-water mark where it has one.
READ_SHARE = """cd /sys/kernel/debug
[ -d swiotlb ] || mount -t debugfs debugfs .
cd /sys/kernel/debug/swiotlb || exit
before=$(cat io_tlb_used) most=0 n=0
while :; do dd if=/mnt/c/large of=/dev/null bs=1M iflag=direct 2>/dev/null; done &
while [ $most -lt $((before + $1)) ] && [ $n -lt 9000 ]; do
    read used <io_tlb_used
    [ $used -le $most ] || most=$used
    n=$((n + 1))
done
kill $!
echo $before $most $(cat io_tlb_nslabs io_tlb_used_hiwater 2>/dev/null)"""


class Act:
    """One guest, from power-on to power-off, as numbered steps."""

    def __init__(self, show, run, hostd, guest, settings, listener):
        self.show, self.run, self.hostd, self.guest = show, run, hostd, guest
        self.settings, self.listener = settings, listener
        self.name = settings["name"]
        self.folder = run.folder / "shares" / self.name
        self.pool = None
        self.kind = "none"
        self.token = ""

    def event(self, name, seconds=SOON, **fields):
        return self.hostd.wait_event(name, seconds, vm=self.name, **fields)

    def options(self):
        """What PROTOCOL.md says that a device of this guest gets."""
        return ";".join(part for part in (self.token, f"vmId={self.settings['id']}") if part)

    # -- the steps ---------------------------------------------------------------------------------

    def power_on(self):
        self.guest.start()
        self.guest.wait_console(r"Linux version (\S+)", SLOW)
        way = {"vhost": "vhost-vsock", "user": "vhost-device-vsock"}[vsock.provider()]
        return f"QEMU with {acceleration()[1].upper()}, 512 MiB, {way}"

    def kernel_publishes(self):
        line = self.guest.wait_console(r"hv_pci: pool of (\d+) bytes at (0x[0-9a-f]+)\n", SLOW)
        self.pool, self.kind = (line[2], int(line[1])), "published"
        return (f"{self.pool[1] >> 20} MiB at {self.pool[0]}, in the files that WSL's kernel has: "
                "of a module that stands in for it")

    def kernel_has_a_pool(self):
        line = self.guest.wait_console(
            r"software IO TLB: mapped \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\]", SLOW)
        base, end = int(line[1], 16), int(line[2], 16)
        self.pool, self.kind = (f"{base:#x}", end - base), "default"
        return f"{self.pool[1] >> 20} MiB at {self.pool[0]}, says the guest's kernel log"

    def connects(self):
        event = self.event("GuestConnected", SLOW)
        return f"guestlink-init {event['init_version']} is there, over vsock"

    def capabilities(self):
        info = self.event("GuestKernelInfo")
        release = self.guest.console().split("Linux version ")[1].split()[0]
        need(info["release"] == release, f"release {info['release']}, but it runs {release}")
        base, size = info["HvPciSwiotlbBase"], info["HvPciSwiotlbSize"]
        expected = self.pool or ("0x0", 0)
        need((base, size) == expected, f"pool {base}, {size} arrived, {expected} was published")
        need(info["SwiotlbKind"] == self.kind, f"{info['SwiotlbKind']} pool instead of {self.kind}")
        bits = int(self.event("ApplyGuestCapabilities")["features"], 16)
        need((bits >> 4 & 1, bits >> 7 & 3) == (self.kind == "published", self.kind == "default"),
             f"features {bits:#x}")
        seccomp = "yes" if info["SeccompAvailable"] else "no"
        return f"Linux {release}, seccomp {seccomp}, pool base {base}, size {size}"

    def token_made(self):
        event = self.event("ApplyGuestCapabilities")
        self.token = event.get("token") or ""
        if not self.pool:
            need(not self.token, f"a token without a pool: {self.token}")
            return "none: there is no pool"
        expected = f"swiotlb={self.pool[0]},{self.pool[1]}"
        need(self.token == expected, f"{self.token!r} instead of {expected!r}")
        return self.token

    def share_device(self):
        """Known once its driver runs: what it is told with, and whether that is all."""
        event = self.event("AddVirtioFsShare", SLOW, tag="c")
        self.aperture = event["aperture"], event["apertureBytes"]
        return self.options_of(event)

    def aperture_made(self):
        """What keeps virtiofsd from the rest of the memory, as telemetry and `show` have it."""
        kind, size = self.aperture
        if kind == "narrowed":
            self.event("DeviceAperture")  # the next line, which may not be written yet
        told = self.hostd.events("DeviceAperture", vm=self.name)
        if not self.pool:
            need((kind, size, told) == ("none", 0, []), f"{kind}, {size} without a pool: {told}")
            return "none: there is no pool"
        expected = "enforced" if os.path.exists("/dev/udmabuf") else "narrowed"
        need(kind == expected, f"{kind} instead of {expected}")
        # Rings take a few pages; how many is the guest's kernel's.
        need(0 <= size - self.pool[1] < 1 << 20, f"{size} bytes, the pool has {self.pool[1]}")
        reasons = [event["reason"] for event in told]
        need(len(reasons) == (kind == "narrowed") and all("udmabuf" in one for one in reasons),
             f"{told}")
        shown = subprocess.run(self.hostd.ctl("show", self.name), check=True, timeout=SOON,
                               stdout=subprocess.PIPE, text=True).stdout
        line = next((line.strip() for line in shown.splitlines() if "can reach" in line), "")
        need(line.startswith(f"virtiofsd of share c can reach {self.pool[1] >> 20}.0 MiB + "
                             f"{size - self.pool[1] >> 10} KiB of "), f"show: {shown}")
        return line

    def net_device(self):
        event = self.event("AddNetAdapter", id="eth0")
        return self.options_of(event)

    def options_of(self, event):
        need(event["options"] == self.options(),
             f"options {event['options']!r} instead of {self.options()!r}")
        return event["options"] + (" (bounces through the pool)" if event["iommu_platform"] else "")

    def plugged(self):
        buses = self.guest.ask_qemu("query-pci")
        found = [device["id"] for bus in buses for device in devices_of(bus)
                 if device["id"]["vendor"] == 0x1af4]
        kinds = [{0x105a: "virtio-fs", 0x1041: "virtio-net", 0x1000: "virtio-net"}
                 .get(number["device"]) for number in found]
        for kind in ("virtio-fs", "virtio-net"):
            need(kind in kinds, f"QEMU has no {kind} device")
        return "QEMU has both: virtio-fs and virtio-net, hot-plugged"

    def pool_read_in_guest(self):
        base, size = self.said("base"), self.said("size")
        published = self.kind == "published"
        expected = (self.pool[0], str(self.pool[1])) if published else ("none", "none")
        need((base, size) == expected, f"the payload read {base}, {size}")
        if not published:
            return "no files: this kernel publishes nothing"
        return f"swiotlb_base {base}, swiotlb_size {size}"

    def pool_bounced_through(self):
        """By the kernel's own statistics, while the share is read: its device uses more of the pool
        than there is in use without. And as the daemon has it from PID 1."""
        (self.folder / "large").write_bytes(os.urandom(8 << 20))
        ended = subprocess.run(self.hostd.ctl("exec", self.name, "--", "/bin/sh", "-c", READ_SHARE,
                                               "sh", str(SLOTS_OF_A_READ)),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               timeout=SLOW, check=True)
        before, most, total, *hiwater = (int(word) for word in ended.stdout.split())
        need(total * SLOT == self.pool[1], f"{total} slots, but {self.pool[1]} bytes are reported")
        need(before + SLOTS_OF_A_READ <= most <= total, f"{most} slots in use while it is read, {before} before")
        need(all(most <= number <= total for number in hiwater), f"at most {hiwater}, {most} seen")
        shown = subprocess.run(self.hostd.ctl("--json", "show", self.name), check=True,
                               timeout=SOON, stdout=subprocess.PIPE).stdout
        (pool,) = json.loads(shown)["pools"]
        need(pool["total_bytes"] == self.pool[1] and 0 < pool["used_bytes"] <= self.pool[1],
             f"the daemon was told {pool}")
        return (f"io_tlb_used: {most} of {total} slots while the share is read, {before} before"
                + "".join(f"; at most {number} so far" for number in hiwater))

    def said(self, word):
        def probe():
            found = payload.said(self.guest, word)
            return None if found is None else (found,)
        return wait_for(f"the payload's word on {word}", SOON, probe)[0]

    def host_file_read(self):
        expected = (self.folder / "from-host.txt").read_text().strip()
        got = self.said("read")
        need(got == expected, f"the guest read {got!r}, the host wrote {expected!r}")
        return f"“{got}”"

    def guest_file_read(self):
        self.said("wrote")
        text = (self.folder / "from-guest.txt").read_text().strip()
        need(text.startswith("written in the guest"), f"the host read {text!r}")
        return f"“{text}”"

    def interface(self):
        address, route = self.said("address"), self.said("route")
        need(address == "10.0.2.15/24" and route == "10.0.2.2",
             f"address {address}, gateway {route}")
        return f"{address} by way of {route}"

    def packet(self):
        answer = self.said("answer")
        need(answer == ANSWER.decode().strip(), f"the guest got the answer {answer!r}")
        need(self.listener.heard, "the host heard nothing")
        return f"“{self.listener.heard[-1]}” → “{answer}”"

    def surroundings(self):
        name, left = self.said("hostname"), self.said("environment")
        need(name == self.settings["hostname"], f"hostname {name!r}")
        need(left == "0", f"{left} variables of PID 1's own are in the payload's environment")
        return f"hostname {name}; nothing of PID 1's own parameters in its environment"

    def ready(self):
        event = self.event("GuestReady")
        need(event.get("boot_id"), "no boot_id")
        times = [value for key, value in event.items() if key == "ready_ns"]
        return f"boot {event['boot_id']}" + (f", {times[0] / 1e9:.2f} s after its kernel began"
                                             if times and times[0] else "")

    def payload_ends(self):
        event = self.event("ChildExit")
        need(event["status"] == payload.STATUS,
             f"status {event['status']}, the payload ended with {payload.STATUS}")
        return f"exit status {event['status']}, as told"

    def power_off(self):
        subprocess.run(self.hostd.ctl("shutdown", self.name), check=True, timeout=SOON,
                       stdout=subprocess.DEVNULL)
        status = self.guest.wait_off(SOON)
        need(status == 0, f"QEMU ended with status {status}")
        self.guest.wait_console_after_end(r"reboot: Power down")
        self.event("GuestFarewell")
        self.event("GuestDisconnected")
        return "asked, said farewell, synced, off"

    def warnings(self, reason):
        """Exactly one if there is a reason, in telemetry and on hostd's stderr; else none."""
        told = self.hostd.events("SwiotlbKernelUnsupported", vm=self.name)
        lines = [line for line in self.hostd.log().splitlines()
                 if self.name in line and "without a token" in line]
        expected = 1 if reason else 0
        need(len(told) == expected, f"{len(told)} in telemetry instead of {expected}")
        need(len(lines) == expected, f"{len(lines)} on stderr instead of {expected}: {lines}")
        if not reason:
            return "none"
        need(told[0]["reason"] == reason, f"reason {told[0]['reason']!r} instead of {reason!r}")
        need(told[0]["advice"] in lines[0], f"the line does not say what to do: {lines[0]}")
        return f"one, in telemetry and on stderr: {told[0]['reason']}; {told[0]['advice']}"

    def nothing_failed(self):
        """From the guest's call on; before that, QEMU is not there. Its end is no device's failure."""
        events = self.hostd.events(vm=self.name)
        names = [event["event"] for event in events]
        failed = [event for event in events[names.index("GuestConnected"):]
                  if event["event"] in ("DeviceFailed", "GuestTimeout", "ProtocolError")
                  and event.get("error") != 0]
        need(not failed, "; ".join(str(event) for event in failed))
        return "no device, no deadline, no byte of the protocol"


def devices_of(bus):
    for device in bus["devices"]:
        yield device
        if "pci_bridge" in device:
            yield from devices_of({"devices": device["pci_bridge"].get("devices", [])})


# What each kind of guest is warned about, and with what reason.
REASONS = {"published": None, "old": "kernel-too-old", "failed": "allocation-failed",
           "stock": None}


def play(act, kind):
    """All of one guest of that kind (stage/stage.c)."""
    step = act.show.step
    step("power on", act.power_on)
    if kind == "published":
        step("the pool is published", act.kernel_publishes)
    elif kind == "stock":
        step("the kernel has its own pool", act.kernel_has_a_pool)
    step("the guest calls the host", act.connects)
    step("its capabilities arrive", act.capabilities)
    step("the token", act.token_made)
    step("device 1: virtiofs share", act.share_device)
    step("what can virtiofsd reach?", act.aperture_made)
    step("device 2: virtio-net adapter", act.net_device)
    step("are they there?", act.plugged)
    step("the payload looks at the pool", act.pool_read_in_guest)
    step("the payload's surroundings", act.surroundings)
    step("host's file, read in guest", act.host_file_read)
    step("guest's file, read on host", act.guest_file_read)
    step("the interface", act.interface)
    step("a packet, there and back", act.packet)
    step("the guest is ready", act.ready)
    if kind in ("stock", "published"):
        step("does the share use the pool?", act.pool_bounced_through)
    step("the payload ends", act.payload_ends)
    step("warnings about the kernel", lambda: act.warnings(REASONS[kind]))
    step("power off", act.power_off)
    step("did anything fail?", act.nothing_failed)
    act.show.line()
    show_telemetry(act)


EXPECTED = ["GuestConnected", "GuestKernelInfo", "ReadGuestCapabilities", "ApplyGuestCapabilities",
            "AddVirtioFsShare", "AddNetAdapter", "MountShare", "ConfigureNetwork", "StartPayload",
            "GuestReady", "ChildExit", "GuestFarewell", "GuestDisconnected"]


def show_telemetry(act):
    events = act.hostd.events(vm=act.name)

    def whole():
        names = [event["event"] for event in events]
        missing = [name for name in EXPECTED if name not in names]
        need(not missing, f"missing: {', '.join(missing)}")
        numbers = [event["seq"] for event in act.hostd.events()]
        need(numbers == sorted(set(numbers)), "not in order")
        return f"{len(events)} lines, in order"

    act.show.step("the telemetry of all that", whole)
    act.show.line()
    for event in events:
        act.show.line(f"     {event['ts'][11:23]} {event['event']:<25.25} "
                      f"{summary(act, event):.54}".rstrip())


# What a person wants to see first of each event.
SHOWN = {
    "GuestConnected": ("release", "same_boot"),
    "GuestKernelInfo": ("HvPciSwiotlbBase", "HvPciSwiotlbSize"),
    "ReadGuestCapabilities": ("HvPciSwiotlbBase", "HvPciSwiotlbSize"),
    "ApplyGuestCapabilities": ("token",),
    "SwiotlbKernelUnsupported": ("reason", "advice"),
    "AddVirtioFsShare": ("tag", "aperture", "apertureBytes", "options"),
    "DeviceAperture": ("tag", "aperture", "reason"),
    "AddNetAdapter": ("id", "options"),
    "MountShare": ("tag", "target", "transport"),
    "ConfigureNetwork": ("id", "mac"),
    "StartPayload": ("argv0",),
    "GuestReady": ("host_ready_ms", "host_devices_ms"),
    "ChildExit": ("role", "status", "signal"),
    "GuestLog": ("text",),
    "GuestFarewell": ("how", "reason", "killed"),
    "GuestDisconnected": ("reason", "farewell"),
    "DeviceFailed": ("device", "text"),
}


def summary(act, event):
    keys = SHOWN.get(event["event"], [key for key in event if key not in
                                      ("ts", "seq", "event", "vm", "vm_id", "boot_id")])
    own = ", ".join(f"{key}={event[key]}" for key in keys if key in event)
    return own.replace(str(act.run.sockets), "…").replace(str(act.run.folder), "…")
