"""Hand-over to PID 1 until the host has the guest's facts: guestlink-init, the least program that
makes the same system calls (least.c), and BusyBox sh with qemu-ga, in turns, with the same kernel,
modules and command line."""

import statistics
import subprocess

import agent
import paths
import vsock
from boots import Boot
from guest import acceleration
from image import Image
from kernel import Kernel

TITLE = "first-frame: hand-over to PID 1 until the host has the guest's facts"
GOALS = {"least": (1.15, "at most"), "qemu-ga": (6.0, "at least")}


def build_least():
    source = paths.ROOT / "tests/bench/least.c"
    program = paths.LAB / "least"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-Wall", "-Wextra",
                        "-o", program, source], check=True)
        subprocess.run(["strip", program], check=True)
    return program


def stripped(program, folder):
    """A copy without debug information, as packages ship it."""
    copy = folder / program.name
    subprocess.run(["strip", "-o", copy, program], check=True)
    return copy


def make_image(run, names, lay_over=lambda image: None):
    """One image with all of them, and what lay_over() adds; returns the kernel, the image, and who
    is which program."""
    kernel = Kernel("cloud")
    image = Image(kernel)
    makers = {"least": build_least,
              "guestlink-init": lambda: stripped(paths.program("guestlink-init"), run.sockets)}
    programs = {}
    for name in names:
        if name == "qemu-ga":
            programs[name] = (agent.add(image), None)
        else:
            path = makers[name]()
            image.add_program(f"/sbin/{name}", path)
            programs[name] = (f"/sbin/{name}", path.stat().st_size)
    lay_over(image)
    return kernel, image.write(run.sockets / "image-first-frame"), programs


def boots(run, kernel, image, programs, count, icount=False):
    """Boots all of them in turns; returns each one's rows of (host's, guest's) seconds."""
    rows = {name: [] for name in programs}
    for number in range(count):
        for name, (path, _) in programs.items():
            label = f"{name}-{number}{'-icount' if icount else ''}"
            with Boot(run.folder / label, run.sockets / label, kernel, image, path, icount) as boot:
                rows[name].append(boot.agent() if name == "qemu-ga" else boot.frame())
    return rows


def summary(rows):
    """Milliseconds: each boot's and their median, by both clocks (the guest's may be missing)."""
    made = {}
    for at, clock in enumerate(("host", "guest")):
        column = [row[at] * 1e3 for row in rows if row[at] is not None]
        if column:
            made[f"{clock}_ms"] = [round(value, 3) for value in column]
            made[f"{clock}_median_ms"] = round(statistics.median(column), 3)
    return made


def ratio(result, name, other, key):
    return round(result[name][key] / result[other][key], 3)


def measure(run, count, names=("least", "guestlink-init", "qemu-ga"), icount=2):
    """count boots of each by the clock, icount of those that have a clock of their own by
    instructions."""
    kernel, image, programs = make_image(run, names)
    times = {name: summary(rows)
             for name, rows in boots(run, kernel, image, programs, count).items()}
    for name in programs:
        times[name]["bytes"] = programs[name][1]
    result = {"kernel": kernel.release, "acceleration": acceleration()[1],
              "vsock": vsock.provider(), "boots": count, "programs": times,
              "host_ratio": ratio(times, "guestlink-init", "least", "host_median_ms"),
              "guest_ratio": ratio(times, "guestlink-init", "least", "guest_median_ms")}
    if "qemu-ga" in times:
        result["times_faster_than_qemu_ga"] = ratio(times, "qemu-ga", "guestlink-init",
                                                    "host_median_ms")
    if icount and acceleration()[1] == "tcg":
        clocked = {name: programs[name] for name in programs if name != "qemu-ga"}
        counted = {name: summary(rows) for name, rows in
                   boots(run, kernel, image, clocked, icount, icount=True).items()}
        # With sleep=off a wait for the host jumps to the guest's next timer: the shortest boot is
        # the one that waited least, and repeats to a part in a thousand.
        least, ours = (min(counted[name]["guest_ms"]) for name in ("least", "guestlink-init"))
        result["icount"] = {"programs": counted, "guest_ratio_of_shortest": round(ours / least, 3)}
    return result


def table(result):
    yield (f"Linux {result['kernel']}, {result['acceleration']}, vsock by {result['vsock']}, "
           f"{result['boots']} boots in turns")
    yield f"{'':16} {'bytes':>9} {'host, ms':>9} {'least':>8} {'most':>8} {'guest, ms':>10}"
    for name, row in result["programs"].items():
        guest = f"{row['guest_median_ms']:10.2f}" if "guest_median_ms" in row else f"{'-':>10}"
        yield (f"{name:16} {row['bytes'] or '-':>9} {row['host_median_ms']:9.2f} "
               f"{min(row['host_ms']):8.2f} {max(row['host_ms']):8.2f} {guest}")
    yield (f"{'ours to least':16} {'':9} {result['host_ratio']:9.2f} {'':8} {'':8} "
           f"{result['guest_ratio']:10.2f}   (goal: at most {GOALS['least'][0]})")
    if "times_faster_than_qemu_ga" in result:
        yield (f"{'qemu-ga to ours':16} {'':9} {result['times_faster_than_qemu_ga']:9.2f} "
               f"{'':8} {'':8} {'':10}   (goal: at least {GOALS['qemu-ga'][0]:g})")
    if "icount" in result:
        counted = result["icount"]
        yield "by instructions (-icount shift=0,sleep=off), the guest's clock:"
        for name, row in counted["programs"].items():
            yield (f"{name:16} {'':9} {'':9} {min(row['guest_ms']):8.2f} "
                   f"{max(row['guest_ms']):8.2f} {row['guest_median_ms']:10.2f}")
        yield (f"{'shortest, ratio':16} {'':9} {'':9} "
               f"{counted['guest_ratio_of_shortest']:8.3f}")
