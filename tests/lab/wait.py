"""Waiting for something, never for ever."""

import os
import time

# How much slower than the machine that the usual times are of another one may be; one that is
# emulated by an emulated one is slower by far. It costs time only where something is broken.
_PATIENCE = 20 if "LAB_NESTED" in os.environ else 5


class TimedOut(Exception):
    """What was waited for did not come; the message names it and how long it was given."""


def patient(usual):
    """A limit in seconds for what usually takes much less than that; never how long to wait for
    what is to be there by itself."""
    return usual * _PATIENCE


def wait_for(what, seconds, probe, step=0.02):
    """Calls probe() until it returns something true, and returns that.

    A probe that finds out that waiting has no point any more raises, which ends the wait."""
    deadline = time.monotonic() + seconds
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() >= deadline:
            raise TimedOut(f"{what}: not within {seconds:g} s")
        time.sleep(step)
