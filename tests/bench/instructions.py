"""Instructions of a handshake, of hostd and of the least server (bare.c), in user space and in the
kernel: all run in a machine with one CPU whose clock counts instructions (QEMU's -icount), so that
what the scheduler says a server ran is how many instructions were executed while it was the task
that runs. The same figures come out on any machine, however busy, to a part in a hundred."""

import json
import pathlib
import re
import shutil

import paths
from cpio import Archive
from handshakes import compile_all, hostd_config
from image import BUSYBOX, libraries
from kernel import Kernel
from process import Process

TITLE = "instructions: of a handshake, in user space and in the kernel, beside the least server"
GUESTS = (10, 100, 1000)
ROUNDS = 9              # after the boot; ten handshakes a guest are what is judged
FOLDER = "/run/server"  # in the machine: the sockets, and what hostd writes
LIMIT = 900             # seconds
ICOUNT = ["-icount", "shift=0,sleep=off"]  # an instruction is a nanosecond; waits are jumped over
GOALS = {"ratio": 4, "growth": 1.2, "kib_per_guest": 24}
CMDLINE = ("console=ttyS0 quiet panic=-1 no_timer_check "
           "tsc=reliable")  # the scheduler's clock is the TSC, which -icount has at 1 GHz


def plan(guests, rounds):
    """The servers' lives: hostd without a VM (what it holds when it is empty), then all of them."""
    yield "hostd", 0, rounds
    for number in guests:
        yield "bare", number, rounds
        yield "hostd", number, rounds


def command(name, number):
    return (f"/bin/bare {FOLDER} {number}" if name == "bare" else
            f"/bin/guestlink-hostd --config /config/{number}.json")


def make_image(folder, lives):
    archive = Archive()

    def add(path, source):
        archive.add_file(path, source.read_bytes(), 0o755)

    for name, program in compile_all(folder, "-static").items():
        add(f"/bin/{name}", program)
    hostd = paths.program("guestlink-hostd")
    add("/bin/guestlink-hostd", hostd)
    for library in libraries(hostd):
        add(library, pathlib.Path(library))
    add("/bin/busybox", pathlib.Path(BUSYBOX))
    archive.add_link("/bin/sh", "busybox")
    add("/init", paths.ROOT / "tests/bench/instructions.sh")
    lines = []
    for name, number, rounds in lives:
        lines.append(f"{name} {number} {rounds} {command(name, number)}\n")
        if name == "hostd":
            archive.add_file(f"/config/{number}.json",
                             json.dumps(hostd_config(FOLDER, number)).encode())
    archive.add_file("/plan", "".join(lines).encode())
    with open(folder / "image", "wb") as image:
        archive.write(image)
    return folder / "image"


def run_machine(folder, image):
    """Returns what the machine said."""
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", *ICOUNT, "-M", "q35", "-m", "1G",
            "-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio",
            "-kernel", Kernel("cloud").image, "-initrd", image, "-append", CMDLINE]
    machine = Process("the machine", argv, folder / "console.log")
    machine.wait(LIMIT)
    return machine.words()


def read(words, lives):
    """{name: {guests: figures}} of the lines that the machine said."""
    found = {}
    for name, numbers in re.findall(r"^COUNTED (\w+) ([\d ]+)", words, re.MULTILINE):
        guests, rounds, failed, boots, rest, resident = (int(word) for word in numbers.split())
        boot, again = round(boots / (guests or 1)), round(rest / (guests * rounds or 1))
        found.setdefault(name, {})[guests] = {
            "boot": boot, "again": again, "of_ten": round((boot + 9 * again) / 10),
            "failed": failed, "resident_kib": resident}
    missing = [f"{name} with {guests}" for name, guests, _ in lives
               if guests not in found.get(name, {})]
    if missing:
        raise RuntimeError(f"no figures of {', '.join(missing)}; the machine said:\n{words}")
    return found


def measure(run, count, guests=GUESTS, rounds=ROUNDS):
    """count is not used: a second time gives the same."""
    del count
    folder = run.sockets / "instructions"
    folder.mkdir()
    lives = list(plan(guests, rounds))
    found = read(run_machine(folder, make_image(folder, lives)), lives)
    shutil.rmtree(folder)
    empty = found["hostd"].pop(0)["resident_kib"]
    result = {"rounds": rounds, "empty_kib": empty, "guests": {}}
    for number in guests:
        bare, hostd = found["bare"][number], found["hostd"][number]
        result["guests"][str(number)] = {
            "bare": bare, "hostd": hostd, "ratio": round(hostd["of_ten"] / bare["of_ten"], 3),
            "kib_per_guest": round((hostd["resident_kib"] - empty) / number, 2)}
    first, last = (found["hostd"][number]["of_ten"] for number in (guests[0], guests[-1]))
    result["growth"] = round(last / first, 3)
    return result


def misses(result):
    """What of the goals is missed, in words."""
    for number, row in result["guests"].items():
        for name in ("bare", "hostd"):
            if row[name]["failed"]:
                yield f"{name}, {number} guests: {row[name]['failed']} handshakes failed"
        if row["ratio"] > GOALS["ratio"]:
            yield (f"{number} guests: {row['ratio']} times the least server's instructions, "
                   f"expected at most {GOALS['ratio']}")
    if result["growth"] > GOALS["growth"]:
        yield (f"from {list(result['guests'])[0]} guests to {list(result['guests'])[-1]}: "
               f"{result['growth']} times the instructions, expected at most {GOALS['growth']}")
    # Of few guests it is the daemon's own pages that count.
    number, row = list(result["guests"].items())[-1]
    if row["kib_per_guest"] > GOALS["kib_per_guest"]:
        yield (f"{number} guests: {row['kib_per_guest']} KiB for each, expected at most "
               f"{GOALS['kib_per_guest']}")


def table(result):
    yield (f"per handshake: in a boot; on calling again, the end of the connection before included "
           f"(mean of {result['rounds']});")
    yield f"and of one and nine of them. hostd without VMs holds {result['empty_kib']} KiB"
    yield (f"{'guests':>6} {'':6} {'boot':>8} {'again':>8} {'of ten':>8} {'failed':>7} "
           f"{'KiB/guest':>10}")
    for number, row in result["guests"].items():
        for name in ("bare", "hostd"):
            server = row[name]
            kib = f"{row['kib_per_guest']:10.1f}" if name == "hostd" else ""
            yield (f"{number:>6} {name:6} {server['boot']:8} {server['again']:8} "
                   f"{server['of_ten']:8} {server['failed']:7} {kib}")
        yield (f"{'':6} {'ratio':6} {row['hostd']['boot'] / row['bare']['boot']:8.2f} "
               f"{row['hostd']['again'] / row['bare']['again']:8.2f} {row['ratio']:8.2f}   "
               f"(goal: at most {GOALS['ratio']})")
    yield (f"hostd, from the fewest guests to the most: x {result['growth']} "
           f"(goal: at most {GOALS['growth']})")
    yield from (f"MISSED: {miss}" for miss in misses(result))
