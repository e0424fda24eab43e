"""Under I/O, all that can happen to a share, its processes, its VM and its guest: no virtiofsd is ever told of more than rings and the pool of the kernel that runs."""

import confined
import spy
from guest import reconnecting
from image import Image
from kernel import Kernel
from hostd import share, virtiofsd, vm_settings
from run import FORCED, POOL
from scenarios.kill_virtiofsd import Share
from show import need
from wait import wait_for

HOST = ("guestlink.host=virtio-port:guestlink "
        "guestlink.modules=virtio_pci,virtio_console,virtiofs")
# What is read is what was written. A share that is away meanwhile, or another mount, is no error.
COMPARING = """n=0
mount() { stat -c %d /mnt/c 2>/dev/null; }
while :; do
    n=$((n + 1))
    head -c 300000 /dev/urandom >/tmp/data
    before=$(mount)
    cp /tmp/data /mnt/c/data 2>/dev/null && sync /mnt/c/data 2>/dev/null || continue
    echo 3 >/proc/sys/vm/drop_caches
    cp /mnt/c/data /tmp/back 2>/dev/null && [ "$before" = "$(mount)" ] || continue
    cmp /tmp/data /tmp/back || echo "payload: another content" >/dev/console
    echo $n >/mnt/c/counter 2>/dev/null
done
"""


def play(lab):
    Life(lab).play()


class Life:
    def __init__(self, lab):
        self.lab = lab
        self._program = spy.turn(virtiofsd(), lab.sockets, lab.sockets / "virtiofsd", ("told",))
        # Over a virtio port: vhost-device-vsock does not serve a guest after its reset.
        door = lab.sockets / "port"
        self._image = Image(Kernel(), ["virtio_console"]).add_init().add_program(
            "/bin/kexec", lab.compile("kexec"))
        self.guest = lab.guest(
            "lab", "stock", HOST, vsock_device=False, reboots=True, image=self._image,
            extra=["-m", "512M,slots=2,maxmem=1G", "-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=port,path={door},{reconnecting()}",
                   "-device", "virtserialport,chardev=port,name=guestlink"])
        self.folders = {tag: lab.share_folder(f"share-{tag}") for tag in "cd"}
        settings = vm_settings(
            self.guest, "lab", networking="none", socket=str(door),
            shares=[share(tag, folder, f"/mnt/{tag}") for tag, folder in self.folders.items()],
            payload=["/bin/sh", "-c", COMPARING])
        settings["device_host"]["virtiofsd"] = str(self._program)
        self.hostd = lab.hostd([settings])
        self._seen = dict.fromkeys(self.folders, 0)
        self._last = None
        self._boots = 0

    def play(self):
        self.hostd.start()
        self.guest.start()
        self.boots("the first boot")
        self.processes_die()
        self.daemon_restarts()
        self.memory_grows()
        self.machine_pauses()
        self.driver_is_bound_again()
        self.share_is_removed_in_use()
        need(self.lab.control(self.hostd, "shutdown", "lab", "--reboot")[0] == 0, "no reboot")
        self.boots("a reboot")
        smaller = FORCED.replace(f"swiotlb={POOL // 2048}", f"swiotlb={POOL // 4096}")
        self.another_kernel(FORCED, smaller, "kexec to another pool")
        need(self.pool[1] == POOL // 2, f"the pool is {self.pool}")
        self.another_kernel(smaller, "", "kexec to a kernel without a pool")
        need(not self.pool, f"the pool is {self.pool}")
        added = self.hostd.events("AddVirtioFsShare")[-1]
        need(added["aperture"] == "none" and "swiotlb" not in added["options"], f"{added}")
        need("another content" not in self.guest.console(), "what was read is not what was written")
        self.lab.shut_down(self.hostd, self.guest)

    @property
    def pool(self):
        return confined.pool_of(self.hostd)

    def tables(self):
        """What virtiofsds were told since the last time: guest addresses and sizes."""
        new = []
        for tag, folder in self.folders.items():
            told = list(confined.told(folder))
            new += told[self._seen[tag]:]
            self._seen[tag] = len(told)
        return new

    def works(self, what):
        counter = self.folders["c"] / "counter"
        counter.unlink(missing_ok=True)
        wait_for(f"{what}: the payload to count on its share", self.lab.seconds(60),
                 lambda: counter.exists() and counter.read_text().strip())

    def holds(self, what):
        """The share works, and nobody was told of more, nor of the pool of a kernel before."""
        self.works(what)
        tables = self.tables()
        widest = confined.widest(tables, [self.pool], what)
        self.lab.say(f"{what}: {len(tables)} tables, none with more than the pool and {widest} "
                     "bytes of rings")

    def boots(self, what):
        self._boots += 1
        self.hostd.wait_event("GuestReady", self.lab.seconds(90), count=self._boots)
        pool = self.pool
        self.lab.say(f"{what}: the pool is {pool}")
        if pool:
            self.holds(what)
            self._last = pool
        else:
            self.works(what)
            old = [table for table in self.tables() if self._last in table]
            need(not old, f"{what}: told of the pool of the kernel before: {old}")

    def processes_die(self):
        served = Share(self.lab, self.hostd, str(self.folders["c"]))
        for what, pids in (("virtiofsd", lambda: served.pids),
                           ("the relay", lambda: [served.relays[-2]]),
                           ("the keeper", lambda: [served.relays[-1]])):
            served.killed(what, pids, "")
            self.holds(f"{what} killed")

    def daemon_restarts(self):
        self.hostd.process.kill()
        self.hostd.process.wait()
        self.holds("no daemon")
        self.hostd.start()
        self._boots += 1
        self.hostd.wait_event("GuestReady", self.lab.seconds(60), count=self._boots)
        self.holds("another daemon")

    def memory_grows(self):
        self.guest.ask_qemu("object-add", **{"qom-type": "memory-backend-memfd", "id": "more",
                                             "size": 128 << 20, "share": True})
        self.guest.ask_qemu("device_add", driver="pc-dimm", id="dimm", memdev="more")
        self.holds("more memory")

    def machine_pauses(self):
        served = Share(self.lab, self.hostd, str(self.folders["c"]))
        pids = served.pids
        self.guest.ask_qemu("stop")
        self.guest.ask_qemu("cont")
        self.holds("a pause")
        need(served.pids == pids, "virtiofsd is another one after a pause")

    def in_guest(self, script):
        status, words = self.lab.run_in_guest(self.hostd, "lab", "/bin/sh", "-c", script)
        need(status == 0, f"{script}: {status}: {words}")
        return words

    def driver_is_bound_again(self):
        confined.bind_again(self.guest, self.in_guest, "d")
        self.holds("the driver bound again")

    def share_is_removed_in_use(self):
        self.in_guest("sleep 600 </mnt/d/from-host.txt >/dev/null 2>&1 & echo $! >/run/user")
        for status, words in ((1, ("remove", "lab", "d")),
                              (0, ("remove", "lab", "d")),
                              (0, ("add", "lab", "d", str(self.folders["d"]), "/mnt/d"))):
            found, said = self.lab.control(self.hostd, "share", *words, seconds=90)
            need(found == status, f"share {words[0]}: {found}: {said}")
            if status == 1:
                need("busy" in said, f"share remove: {said}")
                self.in_guest("user=$(cat /run/user); kill $user; "
                              "while [ -d /proc/$user ]; do sleep 0.1; done")
        self.holds("a share removed in use, and added")

    def another_kernel(self, pool, other, what):
        """Without a reset: QEMU sees nothing of it. pool: words of the command line."""
        folder = self.folders["c"]
        (folder / "kernel").write_bytes(self._image.kernel.image.read_bytes())
        self._image.write(folder / "initramfs")
        line = self.in_guest("cat /proc/cmdline").strip().replace(pool, other)
        self.lab.control(self.hostd, "exec", "lab", "--", "/bin/kexec", "/mnt/c/kernel",
                         "/mnt/c/initramfs", line, seconds=60)
        self.boots(what)
