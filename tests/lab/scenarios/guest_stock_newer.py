"""The same with later kernels of Debian's, of its backports and of sid, where they can be had."""

from kinds import play_kind
from paths import LAB

KERNELS = ("unpacking", "newest")


def play(lab):
    there = [kernel for kernel in KERNELS if (LAB / "kernel" / kernel / "complete").exists()]
    if not there:
        lab.skip("apt here has no later kernel of Debian's (tests/lab/setup run unpacking, newest)")
    for kernel in there:
        play_kind(lab, "stock", kernel)
