"""The same as guest-stock with the kernel of Debian's sid, where that can be had."""

from kinds import play_kind
from paths import LAB


NEEDS = "newest"


def play(lab):
    if not (LAB / "kernel/newest/complete").exists():
        lab.skip("apt here has no such kernel (tests/lab/setup run newest)")
    play_kind(lab, "stock", "newest")
