"""Are the figures there, and sane? Every documented key of the JSON, numbers over 0, and ratios
within bounds that only a mistake, or a program that became slow, leaves: for tests/run.
Instructions repeat on a busy machine, so their bounds are close; the others are generous."""

from aperture import MOVING
from aperture import SETUPS as WITHOUT_AND_WITH
from first_frame import NAMES, WAYS
from power_on import PARTS
from sizes import MEMORY, PROGRAMS
from throughput import SETUPS, STEPS

SERVER = ("handshakes_per_s", "cpu_us_per_handshake", "p50_ms", "p90_ms", "p99_ms", "most_ms",
          "resident_kib_connected")
# (keys from the top, the least, the most); "*": every key that is there, one at least. None: any.
MUST = [
    *((("first-frame", "ways", way, "host", "programs", name, "median_ms"), 0.001, None)
      for way in WAYS for name in NAMES),
    *((("first-frame", "ways", way, "host", ratio), 0.001, None)
      for way in WAYS for ratio in ("ours_to_least", "qemu_ga_to_ours")),
    *((("power-on", "median_ms", part), 0, None) for part in PARTS),
    (("power-on", "median_ms", "total"), 1, None),
    (("power-on", "ours_part"), 0.001, 1),
    *((("handshakes", "guests", "*", server, key), 0.001, None)
      for server in ("bare", "hostd") for key in SERVER),
    (("handshakes", "guests", "*", "cpu_ratio"), 0.001, 1000),
    *((("handshakes", "growth", key), 0.001, 100)
      for key in ("handshakes_per_s", "cpu_us_per_handshake")),
    *((("instructions", "guests", "*", server, "of_ten"), 1, None) for server in ("bare", "hostd")),
    (("instructions", "guests", "*", "ratio"), 1, 20),
    (("instructions", "growth"), 0.1, 3),
    *((("throughput", "setups", setup, key, step), 0.001, None)
      for setup in SETUPS for key in ("mib_per_s", "to_plain") for step in STEPS),
    *((("sizes", "bytes", name), 10000, None) for name in (*PROGRAMS, "initramfs")),
    (("sizes", "bytes", "guestlink-init"), 10000, 1500000),
    *((("sizes", "resident_kib", name), 10, 100000) for name in MEMORY),
]
# Where guests are emulated, so that instructions can be counted.
MUST_COUNTED = [
    *((("first-frame", "ways", way, "instructions", "programs", name, "median_ms"), 0.001, None)
      for way in WAYS for name in NAMES),
    *((("first-frame", "ways", way, "instructions", "ours_to_least"), 0.5, 1.15)
      for way in ("modules", "unsigned")),
    (("first-frame", "ways", "modules", "instructions", "qemu_ga_to_ours"), 1.05, None),
    (("first-frame", "ways", "unsigned", "instructions", "qemu_ga_to_ours"), 1.5, None),
    # Of one boot, so little that the wait for the host counts.
    (("first-frame", "ways", "built-in", "instructions", "ours_to_least"), 0.1, 5),
    (("first-frame", "ways", "built-in", "instructions", "qemu_ga_to_ours"), 3, None),
    *((("throughput", "setups", setup, key, step), 0.001, None) for setup in SETUPS
      for key in ("million_instructions_per_mib", "instructions_to_plain") for step in STEPS),
    # What the token's flag costs an adapter, and that it costs where QEMU takes it only.
    (("throughput", "setups", "force, token", "instructions_to_plain", "virtio-net send"),
     1.02, 20),
    *((("aperture", "kernels", "*", setup, "million_instructions_per_mib", step), 0.01, None)
      for setup in WITHOUT_AND_WITH for step in MOVING),
    # Who bounces pays for it; and neither relay nor hostd takes part in the data.
    *((("aperture", "kernels", "*", "ratio", step), 1.05, 20) for step in MOVING),
    (("aperture", "kernels", "*", "mount_ratio"), 0.9, 1.1),
    (("aperture", "kernels", "*", "aperture", "ran", "relay", "times"), 0, 10),
]


def found(figures, keys, so_far=()):
    """(the whole name, the value or None) of all that the keys name."""
    if not keys:
        return [(".".join(so_far), figures)]
    inner = figures if isinstance(figures, dict) else {}
    names = list(inner) if keys[0] == "*" else [keys[0]] if keys[0] in inner else []
    if not names:
        return [(".".join((*so_far, *keys)), None)]
    return [row for name in names for row in found(inner[name], keys[1:], (*so_far, name))]


def complaints(result, counted):
    """What is missing or cannot be, in words. counted: instructions must be there, too."""
    for keys, least, most in MUST + (MUST_COUNTED if counted else []):
        for name, value in found(result, keys):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                yield f"{name}: {value}, expected a number"
            elif value < least or (most is not None and value > most):
                yield f"{name}: {value}, expected {least} to {'any' if most is None else most}"
