"""A share's largest requests fit the pool; many writers, or a virtiofsd that stands still, do not fill it."""

import os
import shutil
import signal

import spy
from guest import acceleration
from hostd import vm_settings
from image import Image
from kernel import Kernel
from paths import LAB
from process import pids_with
from show import need

NEEDS = "virtiofsd unpacking newest"
KERNELS = ("cloud", "unpacking", "newest")
MIB = 1 << 20
# 32 MiB in slots of 2 KiB: two shares' full queues. What finds no room in a pool is an error of the
# program that reads or writes, in Linux 6.12 and 7.2; 6.1 tries again.
SMALL = "swiotlb=16384,force"
QUEUE = 64  # requests under way
REQUEST = 128  # slots of one at the most: 60 pages and headers
WAYS = (("buffered", MIB), ("direct", MIB), ("direct", 4 * MIB), ("mapped", 0))
NAMES = 300
WRITERS, TURNS = 40, 2
POOL = "/sys/kernel/debug/swiotlb"


def play(lab):
    for kernel in KERNELS:
        if (LAB / "kernel" / kernel / "complete").exists():
            play_kernel(lab, kernel)
        else:
            lab.say(f"apt here has no kernel {kernel} (tests/lab/setup run {kernel}): left out")


def play_kernel(lab, kernel):
    guest = Requests(lab, kernel)
    folders = {kind: guest.add(kind, program) for kind, program in spy.programs().items()}
    guest.bounded()
    for kind, folder in folders.items():
        guest.copies(kind, folder)
        guest.names(kind, folder)
    guest.writers(folders)
    guest.stalled(*folders.items())
    guest.end()


class Requests:
    """A guest with a stock kernel and a small pool, and shares of each kind of virtiofsd."""

    def __init__(self, lab, kernel):
        self.lab, self.name = lab, kernel
        self._program = lab.sockets / f"{kernel}-virtiofsd"
        image = Image(Kernel(kernel)).add_init().add_program("/bin/requests",
                                                             lab.compile("requests"))
        self.guest = lab.guest(kernel, "stock", SMALL, image=image,
                               extra=["-cpu", f"{acceleration()[-1]},-cx16"])
        settings = vm_settings(self.guest, kernel, networking="none")
        settings["device_host"]["virtiofsd"] = str(self._program)
        shutil.copy(list(spy.programs().values())[0], self._program)
        self.hostd = lab.hostd([settings]).start()
        self.guest.start()
        self.hostd.wait_event("GuestReady", lab.seconds(60), vm=kernel)
        self._in_guest("mount -t debugfs debugfs /sys/kernel/debug")

    def _in_guest(self, command):
        status, words = self.lab.control(self.hostd, "exec", self.name, "--", "/bin/sh", "-c",
                                         command, seconds=60)
        need(status == 0, f"{self.name}: {command}: status {status}: {words}")
        return words

    def add(self, kind, program):
        self._program.unlink()
        shutil.copy(program, self._program)
        folder = self.lab.share_folder(f"{self.name}-{kind}")
        status, words = self.lab.control(self.hostd, "share", "add", self.name, kind, str(folder),
                                         f"/mnt/{kind}", seconds=60)
        need(status == 0, f"share add: {status}: {words}")
        return folder

    def bounded(self):
        """What the kernel itself lets one request have, where it lets itself be told."""
        pages = int(self._in_guest("cat /proc/sys/fs/fuse/max_pages_limit || echo 0").split()[-1])
        need(pages <= 60, f"{self.name}: a request may have {pages} pages")
        self.lab.say(f"{self.name}: at most {pages or 'as the queue says'} pages a request")

    def copies(self, kind, folder):
        source = os.urandom(8 * MIB)
        (folder / "source").write_bytes(source)
        for way, size in WAYS:
            target = folder / f"{way}-{size}"
            self._in_guest(f"cd /mnt/{kind} && "
                           f"/bin/requests copy {way} {size} source {target.name}")
            need(target.read_bytes() == source, f"{self.name}, {kind}: {target.name} is not equal")
        self.lab.say(f"{self.name}, {kind}: {len(WAYS)} copies are equal")

    def names(self, kind, folder):
        (folder / "many").mkdir()
        for number in range(NAMES):
            (folder / "many" / f"{number:0200}").touch()
        words = self._in_guest(f"/bin/requests list {MIB} /mnt/{kind}/many")
        need(int(words) == NAMES + 2, f"{self.name}, {kind}: {words} names")

    def writers(self, folders):
        """As many in each share, all at once, with all under way that the queues take."""
        for folder in folders.values():
            (folder / "written").mkdir()
        started = " ".join(f"/bin/requests write {MIB} {TURNS} {WRITERS} /mnt/{kind}/written / & "
                           f"{kind}=$!;" for kind in folders)
        self._in_guest(f"{started} " + " && ".join(f"wait ${kind}" for kind in folders))
        for kind, folder in folders.items():
            self._need_written(kind, folder / "written")
        self.lab.say(f"{self.name}: {WRITERS} writers wrote all of theirs in "
                     f"{' and '.join(folders)}")
        need("virtio_fs_enqueue_req() failed" not in self.guest.console(), "a request failed")

    def _need_written(self, kind, folder):
        for number in range(WRITERS):
            need((folder / str(number)).read_bytes() == bytes([number]) * MIB * TURNS,
                 f"{self.name}, {kind}: file {number} is not what was written")

    def stalled(self, share, *others):
        """A share whose virtiofsd does nothing, for as long as its disk does nothing, say."""
        kind, folder = share
        (folder / "stalled").mkdir()
        self._in_guest(f"(/bin/requests write {MIB} {TURNS} {WRITERS} /mnt/{kind}/stalled /run/go;"
                       " echo ended $?) >/run/said 2>&1 </dev/null & "
                       "until grep -q open /run/said; do sleep 0.1; done")
        pids = pids_with(str(folder))
        need(pids, f"no virtiofsd of {folder}")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            words = self._in_guest(f"before=$(cat {POOL}/io_tlb_used); touch /run/go; last=-1\n"
                                   f"until read used <{POOL}/io_tlb_used && [ $used = $last ] && "
                                   "[ $used -gt $before ]; do last=$used; sleep 0.3; done; "
                                   "echo $((used - before))")
            self.lab.say(f"{self.name}, {kind}: stands still, with {int(words)} slots")
            need(int(words) <= QUEUE * REQUEST, f"{words} slots of the pool")
            for other, place in others:
                self._in_guest(f"cd /mnt/{other} && "
                               f"/bin/requests copy direct {4 * MIB} source beside")
                need((place / "beside").read_bytes() == (place / "source").read_bytes(), "not equal")
                self.lab.say(f"{self.name}, {other}: goes on meanwhile")
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        words = self._in_guest("until grep ended /run/said; do sleep 0.1; done; cat /run/said")
        need("ended 0" in words, f"{self.name}, {kind}: {words}")
        self._need_written(kind, folder / "stalled")

    def end(self):
        self.lab.shut_down(self.hostd, self.guest, self.name)
        self.lab.stop_daemons()
