"""QEMU and passt of the next Debian, which the set-up's step `newer` unpacks."""

import os

import paths

FOLDER = paths.LAB / "newer"
PASST = FOLDER / "passt"


def qemu():
    """The words that start it, firmware and all; None if it could not be had."""
    if not os.access(PASST, os.X_OK):
        return None
    share = FOLDER / "root/usr/share"
    return [FOLDER / "qemu-system-x86_64", "-L", share / "qemu", "-L", share / "seabios", "-L",
            FOLDER / "root/usr/lib/ipxe/qemu"]
