"""A guest in hugetlb memory has an aperture, too: dma-bufs of huge pages, in which a spy in place of virtiofsd finds no secret."""

import os
import pathlib

import spy
from scenarios.aperture_spy import finds_nothing
from show import need

NEEDS = "virtiofsd unpacking"
UDMABUF = True

PAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")
PAGE_MIB = 2
GUEST_MIB = 512


def free_pages():
    with open("/proc/meminfo", encoding="utf-8") as info:
        return next(int(line.split()[1]) for line in info if line.startswith("HugePages_Free:"))


def play(lab):
    if not os.path.exists("/dev/udmabuf"):
        lab.skip("this kernel has no /dev/udmabuf: tests/run aperture-hugetlb goes into a VM that has")
    before = PAGES.read_text()
    PAGES.write_text(f"{int(before) + GUEST_MIB // PAGE_MIB}\n")
    try:
        if free_pages() < GUEST_MIB // PAGE_MIB:
            lab.skip(f"this machine has no {GUEST_MIB} MiB for huge pages")
        look(lab)
    finally:
        PAGES.write_text(before)


def look(lab):
    """That the spy finds what it can, aperture-spy sees."""
    kind = next(iter(spy.programs()))
    spied = spy.Spied(lab, "huge", backend=f",hugetlb=on,hugetlbsize={PAGE_MIB}M", aperture="require")
    need(free_pages() < GUEST_MIB // PAGE_MIB, "the guest's memory is not in huge pages")
    finds_nothing(lab, spied.look(kind), spied.aperture(kind, "enforced"))
    spied.end()
