"""A guest of one of the four kinds, from power-on to power-off: what the demo shows, as a test."""

import payload
from act import Act, play
from guest import acceleration
from show import Show, need

# QEMU 7.2's emulation at times leaves garbage in the flags behind a cmpxchg16b, of which a kernel of
# these days dies.
CPU = f"{acceleration()[-1]},-cx16"


def play_kind(lab, kind, kernel="cloud"):
    name = kind if kernel == "cloud" else f"{kind}-{kernel}"
    # A stock kernel says at level 6 where its pool is.
    guest = lab.guest(name, kind, "loglevel=7" if kind == "stock" else "loglevel=6", kernel=kernel,
                      extra=[] if kernel == "cloud" else ["-cpu", CPU])
    settings = lab.usual_vm(guest, name,
                            payload=["/bin/sh", "-c", payload.script(lab.listener.port)])
    hostd = lab.hostd([settings]).start()
    show = Show()
    play(Act(show, lab, hostd, guest, settings, lab.listener), kind)
    status = hostd.process.stop(lab.seconds(10))
    need(not show.failed, "; ".join(show.failed))
    need(status == 0, f"hostd ended with status {status} on SIGTERM")
