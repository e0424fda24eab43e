"""The same as guest-stock with the kernel of Debian's backports, where that can be had."""

from kinds import play_kind
from paths import LAB


NEEDS = "unpacking"


def play(lab):
    if not (LAB / "kernel/unpacking/complete").exists():
        lab.skip("apt here has no such kernel (tests/lab/setup run unpacking)")
    play_kind(lab, "stock", "unpacking")
