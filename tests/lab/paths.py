"""Where things are: the checkout, what the set-up made, what a run leaves behind."""

import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "build/lab"
RUNS = LAB / "runs"

# The build under test: tests/run points it at build/default, a developer may say otherwise.
BUILD = pathlib.Path(os.environ.get("LAB_BUILD", ROOT / "build/default"))


def program(name):
    """A program of the build under test: the guest's live in init/, the others in hostd/."""
    folder = "init" if name in ("guestlink-init", "guestlink-mkinitramfs") else "hostd"
    path = BUILD / folder / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: build first (cmake --build --preset default)")
    return path
