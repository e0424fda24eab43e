"""Waiting for something, never for ever."""

import time


class TimedOut(Exception):
    """What was waited for did not come; the message names it and how long it was given."""


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
