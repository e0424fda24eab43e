"""Hand-over to PID 1 until the host has the guest's facts: guestlink-init, the least program that
makes the same system calls (least.c), and BusyBox sh with qemu-ga, in turns, with the same kernel,
modules and command line; by the host's clock, and counted in instructions."""

import functools
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
NAMES = ("least", "guestlink-init", "qemu-ga")
# What stands before the first call: PID 1 loads the modules, as with a distribution's kernel, which
# checks their signatures if they have any; or there is nothing to load, as with a kernel that has
# these drivers built in. WSL's is one of those, and publishes its pool; where a kernel publishes none,
# its log is read to its end. (title, words for the kernel, options of guestlink-mkinitramfs)
WAYS = {
    "modules": ("PID 1 loads the modules (a distribution's kernel)", "", ()),
    "unsigned": ("PID 1 loads the modules, without signatures", "", ("--strip-signatures",)),
    "built-in": ("drivers built in (a kernel like WSL's)", "lab_builtin=1", ()),
    "stock": ("drivers built in, nothing published: the kernel's log says where its pool is",
              "lab_builtin=1 lab_kind=stock", ()),
}
ATTEMPTS = 4
# (the ratio of one to the other, the goal)
RATIOS = {
    "ours_to_least": ("guestlink-init", "least", "at most 1.10"),
    "qemu_ga_to_ours": ("qemu-ga", "guestlink-init", "at least 6"),
}


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


def make_image(run, names, lay_over=lambda image: None, options=()):
    """One image with all of them, and what lay_over() adds; options are of guestlink-mkinitramfs.
    Returns the kernel, the image, and who is which program."""
    kernel = Kernel("cloud")
    image = Image(kernel, options=options)
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
    out = run.sockets / "-".join(("image-first-frame", *options))
    return kernel, image.write(out), programs


def boots(run, kernel, image, programs, count, way, icount=False):
    """Boots all of them in turns; returns each one's rows of (host's, guest's) seconds."""
    rows = {name: [] for name in programs}
    for number in range(count):
        for name, (path, _) in programs.items():
            label = f"{name}-{way}-{number}{'-icount' if icount else ''}"
            make = functools.partial(Boot, kernel=kernel, image=image, program=path,
                                     words=WAYS[way][1], icount=icount)
            rows[name].append(timed(run, make, label, name))
    return rows


def timed(run, make, label, name):
    """One boot's times. Where vhost-device-vsock loses a call to qemu-ga (a busy machine, a call
    before the guest's driver is there), no later one arrives either: that boot is repeated."""
    for attempt in range(ATTEMPTS):
        once = f"{label}-{attempt}"
        with make(run.folder / once, run.sockets / once) as boot:
            if name != "qemu-ga":
                return boot.frame()
            try:
                return boot.agent()
            except TimeoutError as reason:
                print(f"{reason}; once more", flush=True)
    raise TimeoutError(f"qemu-ga: not reached in {ATTEMPTS} boots")


def summary(seconds):
    """Milliseconds: each boot's and their median."""
    return {"ms": [round(value * 1e3, 3) for value in seconds],
            "median_ms": round(statistics.median(seconds) * 1e3, 3)}


def compare(rows, clock):
    """The programs by one clock (0: the host's, 1: the guest's), and their medians' ratios."""
    made = {"programs": {name: summary([row[clock] for row in found])
                         for name, found in rows.items()}}
    for key, (one, other, _) in RATIOS.items():
        if one in rows and other in rows:
            made[key] = round(made["programs"][one]["median_ms"] /
                              made["programs"][other]["median_ms"], 3)
    return made


def measure(run, count, names=NAMES, icount=3, ways=tuple(WAYS)):
    """count boots of each by the host's clock, icount of each by instructions (if emulated)."""
    images = {options: make_image(run, names, options=options)
              for options in {WAYS[way][2] for way in ways}}
    kernel, _, programs = next(iter(images.values()))
    result = {"kernel": kernel.release, "acceleration": acceleration()[1],
              "vsock": vsock.provider(), "boots": count,
              "bytes": {name: size for name, (_, size) in programs.items() if size}, "ways": {}}
    for way in ways:
        found = result["ways"][way] = {}
        image = images[WAYS[way][2]][1]
        if count:
            print(f"first-frame, {WAYS[way][0]}: {count} boots of each", flush=True)
            found["host"] = compare(boots(run, kernel, image, programs, count, way), 0)
        if icount and acceleration()[1] == "tcg":
            print(f"first-frame, {WAYS[way][0]}: {icount} boots of each with -icount", flush=True)
            found["instructions"] = compare(
                boots(run, kernel, image, programs, icount, way, icount=True), 1)
    return result


CLOCKS = {"host": "the host's clock, ms",
          "instructions": "10^6 instructions (-icount), by the guest's clock"}


def table(result):
    yield (f"Linux {result['kernel']}, {result['acceleration']}, vsock by {result['vsock']}, "
           f"{result['boots']} boots in turns; " +
           ", ".join(f"{name}: {size} bytes" for name, size in result["bytes"].items()))
    for way, clocks in result["ways"].items():
        yield WAYS[way][0]
        for clock, made in clocks.items():
            yield f"  {CLOCKS[clock]:50} {'median':>9} {'least':>9} {'most':>9}"
            for name, row in made["programs"].items():
                yield (f"    {name:48} {row['median_ms']:9.2f} {min(row['ms']):9.2f} "
                       f"{max(row['ms']):9.2f}")
            for key, (one, other, goal) in RATIOS.items():
                if key in made:
                    yield f"    {one + ' to ' + other:48} {made[key]:9.3f}   (goal: {goal})"
