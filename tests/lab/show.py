"""What a person sees while things happen: numbered steps with a tick, a detail and the time.

Colour and a moving line only on a terminal; at most 98 columns."""

import os
import re
import sys
import threading
import time

WIDTH = 98
_LABEL = 30
_TICK, _CROSS = "\u2714", "\u2718"


class Failed(Exception):
    """A step did not show what it had to show."""


def wrap(text, width):
    """Lines of at most that width, cut at blanks and behind semicolons, else anywhere."""
    lines = [""]
    for piece in re.findall(r"[^;\s]*(?:;|\s+|$)", text.strip()):
        if len(lines[-1]) + len(piece.rstrip()) > width:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return lines


class Show:
    def __init__(self, out=None):
        self._out = out or sys.stdout
        self._live = self._out.isatty() and "NO_COLOR" not in os.environ
        self._began = time.monotonic()
        self._number = 0
        self.failed = []

    def _colour(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self._live else text

    def line(self, text=""):
        print(text, file=self._out, flush=True)

    def heading(self, text):
        self.line()
        self.line(self._colour("1", text))

    def step(self, label, check):
        """Runs check(), which returns the detail to be shown, or raises. Returns True if it did
        not. A step that fails does not end the demo: the next ones say what else is (not) so."""
        self._number += 1
        stop = self._wait_visibly(label)
        try:
            detail, mark = check(), self._colour("32", _TICK)
        except Exception as error:  # every kind of failure is shown to the person
            detail, mark = f"{type(error).__name__}: {error}", self._colour("31", _CROSS)
            self.failed.append(f"{self._number}. {label}: {detail}")
        finally:
            stop()
        self._put(mark, label, detail or "")
        return mark == self._colour("32", _TICK)

    def _put(self, mark, label, detail):
        room = WIDTH - 8 - _LABEL - 8
        parts = wrap(detail, room)
        elapsed = f"{time.monotonic() - self._began:6.1f} s"
        self.line(f"  {mark} {self._number:2} {label:{_LABEL}}{parts[0]:{room}}"
                  + self._colour("2", elapsed))
        for part in parts[1:]:
            self.line(" " * (7 + _LABEL) + part)

    def _wait_visibly(self, label):
        """On a terminal, shows that and for how long something is waited for."""
        if not self._live:
            return lambda: None
        done = threading.Event()
        number, began = self._number, time.monotonic()

        def spin():
            while not done.wait(0.1):
                waited = time.monotonic() - began
                self._out.write(f"\r  {'-/|'[int(waited * 8) % 3]} {number:2} {label} "
                                f"\033[2m{waited:.1f} s\033[0m\033[K")
                self._out.flush()

        thread = threading.Thread(target=spin, daemon=True)
        thread.start()

        def stop():
            done.set()
            thread.join()
            self._out.write("\r\033[K")

        return stop


def need(condition, text):
    if not condition:
        raise Failed(text)
