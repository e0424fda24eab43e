"""PID 1 without a machine: the real program in namespaces of its own, its host a pseudo-terminal.

It is PID 1 of a process namespace, root of a user namespace and of nothing else, and its root is a
tmpfs with this machine's programs, read-only. A virtio port is a name in /sys/class/virtio-ports
and a file in /dev: here that file is a terminal, and we hold its other end.
"""

import os
import pathlib
import pty
import select
import shutil
import subprocess
import tempfile
import time
import tty

import guestlink_guest as wire
from guestlink_guest import ANSWER, Frame, FrameReader

WAIT = 60.0  # what comes, comes in milliseconds, but not on every machine
NOBODY = 65534

PAYLOAD, COMMAND = range(2)
OUTPUT, INPUT = 1, 2  # flags of START_PROCESS

# $1: the folder with guestlink-init, cmdline and kmsg. $2: the terminal. The rest: words for PID 1.
INSIDE = r"""
set -e
folder=$1 terminal=$2; shift 2
root=$folder/root
# A root with nothing but programs in the folder $1.
new_root() {
    for name in dev proc sys run tmp etc mnt; do mkdir -p "$1/$name"; done
    for name in usr bin sbin lib lib64; do
        if [ -L "/$name" ]; then cp -P "/$name" "$1/$name"
        elif [ -d "/$name" ]; then
            mkdir "$1/$name"; mount --bind "/$name" "$1/$name"
            mount -o remount,bind,ro "$1/$name"
        fi
    done
}
mount -t tmpfs -o mode=0755 root "$root"
new_root "$root"
mkdir "$root/old" "$root/shares"
mount -t tmpfs shares "$root/shares"
cp "$folder/guestlink-init" "$root/init"
mount -t tmpfs -o mode=0755 dev "$root/dev"
for name in null zero urandom; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
touch "$root/dev/vport0p1" "$root/dev/kmsg"
mount --bind "$terminal" "$root/dev/vport0p1"
mount --bind "$folder/kmsg" "$root/dev/kmsg"
mount -t proc proc "$root/proc"
mount --bind "$folder/cmdline" "$root/proc/cmdline"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs class "$root/sys/class"
mkdir -p "$root/sys/class/virtio-ports/vport0p1"
echo host >"$root/sys/class/virtio-ports/vport0p1/name"
: >"$root/how"
. "$folder/before"
cd "$root"
pivot_root . old
umount -l old
. /how
exec /init "$@"
"""


def missing():
    """Why it cannot be tried here, or None."""
    if not shutil.which("unshare") or not shutil.which("pivot_root"):
        return "unshare and pivot_root (util-linux) are not installed"
    done = subprocess.run([*as_nobody(), "unshare", "-Urmpnu", "--fork", "true"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else None


def as_nobody():
    """Root would still be root of this machine's /proc/sys."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


class Machine:
    """One guest, as its host sees it."""

    def __init__(self, binary, cmdline="", words=(), before="", folders=(), programs=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="guestlink-pid1-"))
        self.reader, self.frames, self.ids = FrameReader(), [], 1000
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        terminal = os.ttyname(self.slave)
        shutil.copy(binary, self.folder / "guestlink-init")
        for program in programs:
            shutil.copy(program, self.folder)
        (self.folder / "before").write_text(before)
        for name in ("root", *folders):
            (self.folder / name).mkdir()
        (self.folder / "kmsg").touch()
        tail = f" -- {' '.join(words)}" if words else ""
        (self.folder / "cmdline").write_text(
            f"quiet guestlink.host=virtio-port:host guestlink.poweroff=acpi {cmdline}{tail}\n")
        if os.geteuid() == 0:
            for path in (self.folder, *self.folder.iterdir(), terminal):
                os.chown(path, NOBODY, NOBODY)
        self.process = subprocess.Popen(
            [*as_nobody(), "unshare", "-Urmpnui", "--kill-child", "--fork",
             "sh", "-c", INSIDE, "sh", str(self.folder), terminal, *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        said = self.process.communicate()[0].decode(errors="replace")
        if kind is not None:
            print(f"--- said:\n{said}\n--- log:\n{self.log()}")
        os.close(self.master)
        os.close(self.slave)
        shutil.rmtree(self.folder)

    def log(self):
        """What PID 1 wrote to the kernel's log."""
        return (self.folder / "kmsg").read_text(errors="replace")

    def send_bytes(self, data):
        while data:
            data = data[os.write(self.master, data[:1024]):]

    def send(self, message_type, fields=None, ident=None, flags=0, payload=None):
        self.ids += 1
        ident = self.ids if ident is None else ident
        if payload is None:
            payload = b"" if fields is None else wire.encode(message_type, fields)
        self.send_bytes(wire.frame_bytes(message_type, flags, ident, payload))
        return ident

    def answer(self, frame, error=0):
        self.send(wire.RESULT, {"error": error, "text": ""}, ident=frame.id, flags=ANSWER)

    def receive(self, wanted, wait=WAIT):
        """The first frame for which @p wanted says so; the others are kept for later."""
        deadline = time.monotonic() + wait
        while True:
            for frame in self.frames:
                if wanted(frame):
                    self.frames.remove(frame)
                    return frame
            frame = self.reader.next()
            if frame and frame.type == wire.PING:
                self.answer(frame)
                continue
            if frame:
                self.frames.append(frame)
                continue
            left = deadline - time.monotonic()
            if left <= 0 or self.process.poll() is not None:
                raise TimeoutError(f"not in {wait} s; there are {self.frames}")
            if select.select([self.master], [], [], min(left, 1))[0]:
                self.reader.feed(os.read(self.master, 65536))

    def take(self, message_type, wait=WAIT):
        """The next event or CAPABILITIES of that type."""
        return self.receive(lambda frame: frame.type == message_type and not frame.flags & ANSWER,
                            wait)

    def ask(self, message_type, fields=None, payload=None, wait=WAIT):
        """@return the frame that answers"""
        ident = self.send(message_type, fields, payload=payload)
        return self.receive(lambda frame: frame.flags & ANSWER and frame.id == ident, wait)

    def result(self, message_type, fields=None, payload=None, wait=WAIT):
        """@return (error, text)"""
        fields = self.ask(message_type, fields, payload, wait).fields()
        return fields["error"], fields["text"]

    def welcome(self, status=0, wait=WAIT):
        """Takes its call. @return what it says that it can do"""
        frame = self.take(wire.CAPABILITIES, wait)
        self.send(wire.WELCOME, {"major": 1, "minor": 1, "status": status, "name": "dev"},
                  ident=frame.id, flags=ANSWER)
        return frame.fields()

    def run(self, process, *argv, role=COMMAND, flags=OUTPUT, **fields):
        """Starts it. @return (error, text)"""
        return self.result(wire.START_PROCESS, {"process": process, "role": role, "flags": flags,
                                                "argv": list(argv), **fields})

    def exit_of(self, process):
        """@return what CHILD_EXITED says, acknowledged"""
        frame = self.receive(lambda frame: frame.type == wire.CHILD_EXITED
                             and frame.fields()["process"] == process)
        if frame.id:
            self.answer(frame)
        return frame.fields()

    def output_of(self, process):
        """All that it wrote until its streams ended. @return (stdout, stderr)"""
        streams, open_streams = {1: b"", 2: b""}, {1, 2}
        while open_streams:
            fields = self.receive(lambda frame: frame.type == wire.PROCESS_OUTPUT
                                  and frame.fields()["process"] == process).fields()
            streams[fields["stream"]] += fields["data"]
            if not fields["data"]:
                open_streams.discard(fields["stream"])
        return streams[1].decode(), streams[2].decode()

    def ended(self):
        """How its namespace ended: -signal of reboot(2), see pid_namespaces(7)."""
        return self.process.wait(WAIT)
