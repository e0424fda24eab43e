"""A virtual machine of QEMU's with what guestlink needs: shared memory, a vsock device, free
PCIe root ports, a QMP socket, a serial console in a file."""

import functools
import os
import re
import shutil

import qmp
import vsock
from process import Process
from wait import patient, wait_for

ROOT_PORTS = 6
# What a machine that emulates another need not do, nor the one within: patch its own code, test its
# ciphers, and have a processor with anything newer than what every x86-64 has, which would cost
# time at each system call and exchange of tasks. (QEMU 7.2's emulation at times leaves garbage in the
# flags behind a cmpxchg16b, of which a kernel of these days dies.)
NESTED = "noreplace-smp cryptomgr.notests mitigations=off"
NESTED_CPU = "qemu64,+rdrand,-cx16"


def acceleration(nested=False):
    """KVM if it works here, else emulation. /dev/kvm alone proves nothing: see README.md."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        flags = re.search(r"^flags\s*:.*\b(vmx|svm)\b", info.read(), re.MULTILINE)
    if flags and os.access("/dev/kvm", os.R_OK | os.W_OK):
        # On a nested AMD machine the host's MSRs are not to be had.
        return ["-accel", "kvm", "-cpu", "host,-arch-capabilities" if flags[1] == "svm" else "host"]
    return ["-accel", "tcg", "-cpu", NESTED_CPU if nested else "max"]


@functools.cache
def reconnecting():
    """The word by which a chardev connects anew after a second: QEMU 9.2 has a new one, 10.2 no longer
    has the old one."""
    with open(shutil.which("qemu-system-x86_64"), "rb") as program:
        return "reconnect-ms=1000" if b"reconnect-ms" in program.read() else "reconnect=1"


class Guest:
    def __init__(self, folder, sockets, kernel, image, cmdline="", memory_mib=512, extra=(),
                 arguments="", vsock_device=True, reboots=False, shared="on", ports=ROOT_PORTS,
                 console="ttyS0", within=(), qemu=("qemu-system-x86_64",), machine="q35",
                 backend="", nested="LAB_NESTED" in os.environ):
        """folder: for logs; sockets: a folder with a short path; cmdline: what is added to the
        kernel's own words; arguments: what follows `--`; reboots: in the same QEMU, which ends
        instead where that is not asked for; shared: whether its memory is; ports: how many free
        root ports; console: the kernel's; within: a command that QEMU is started by; qemu: another one,
        with where its firmware is; machine: QEMU's; backend: more words for the memory's;
        nested: one of two machines, of which one emulates the other."""
        folder.mkdir(parents=True, exist_ok=True)
        sockets.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.console_file = folder / "console.log"
        self.qmp = sockets / "qmp"  # hostd's: QEMU serves one client a socket
        self.own_qmp = sockets / "qmp-lab"
        self.vsock = vsock.make(folder, sockets) if vsock_device else vsock.NoVsock()
        self._kernel = kernel
        self._image = image
        self.memory_mib = memory_mib
        self._backend = f"share={shared}{backend}"
        self._machine = machine
        self._ports = ports
        self._extra = [*([] if reboots else ["-no-reboot"]), *extra]
        self._nested = nested
        # An emulated timer on a busy host may fail the kernel's check of it, which is a panic.
        self._cmdline = (f"console={console} panic=-1 no_timer_check {cmdline}"
                         + (f" {NESTED}" if nested else "")
                         + (f" -- {arguments}" if arguments else ""))
        self._within = list(within)
        self._qemu = list(qemu)
        self.process = None

    def argv(self):
        ports = []
        for number in range(1, self._ports + 1):
            ports += ["-device", f"pcie-root-port,id=rp{number},chassis={number}"]
        return [*self._within, *self._qemu, *acceleration(self._nested),
                "-M", f"{self._machine},memory-backend=mem", "-m", f"{self.memory_mib}M",
                "-object", f"memory-backend-memfd,id=mem,size={self.memory_mib}M,"
                f"{self._backend}",
                "-nodefaults", "-display", "none",
                "-kernel", self._kernel.image, "-initrd", self._image, "-append", self._cmdline,
                "-serial", f"file:{self.console_file}",
                "-qmp", f"unix:{self.qmp},server=on,wait=off",
                "-qmp", f"unix:{self.own_qmp},server=on,wait=off",
                *ports, *self.vsock.qemu, *self._extra]

    def start(self):
        self.vsock.start()
        self.process = Process("QEMU", self.argv(), self.folder / "qemu.log")
        wait_for("QEMU's QMP socket", patient(20), lambda: self.own_qmp.exists() or self._ended())
        return self

    def start_again(self):
        """Power on once more, after power-off or QEMU's end; the console's file starts anew."""
        for socket in (self.qmp, self.own_qmp):
            socket.unlink(missing_ok=True)
        return self.start()

    def _ended(self):
        if not self.process.alive():
            raise RuntimeError(f"QEMU ended with status {self.process.status()}: "
                               f"{self.process.words()}")

    def ask_qemu(self, command, /, **arguments):
        return qmp.execute(self.own_qmp, command, **arguments)

    def console(self):
        try:
            return self.console_file.read_text(errors="replace").replace("\r", "")
        except FileNotFoundError:
            return ""

    def wait_console(self, pattern, seconds):
        """Waits for a line of the console that matches, and returns the match."""
        return wait_for(f"/{pattern}/ on the guest's console", seconds,
                        lambda: re.search(pattern, self.console(), re.MULTILINE)
                        or self._ended_silently())

    def _ended_silently(self):
        if not self.process.alive():
            raise RuntimeError(f"QEMU ended with status {self.process.status()} meanwhile")

    def wait_console_after_end(self, pattern):
        """As wait_console(), of a machine that is off already."""
        return wait_for(f"/{pattern}/ on the guest's console", patient(2),
                        lambda: re.search(pattern, self.console(), re.MULTILINE))

    def wait_off(self, seconds):
        """Waits until the machine is off; returns QEMU's exit status."""
        return self.process.wait(seconds)
