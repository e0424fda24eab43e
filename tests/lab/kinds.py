"""A guest of one of the four kinds, from power-on to power-off: what the demo shows, as a test."""

import payload
from act import Act, play
from show import Show, need


def play_kind(lab, kind, kernel="cloud"):
    # A stock kernel says at level 6 where its pool is.
    guest = lab.guest(f"{kind}-{kernel}", kind, "loglevel=7" if kind == "stock" else "loglevel=6",
                      kernel=kernel)
    settings = lab.usual_vm(guest, kind,
                            payload=["/bin/sh", "-c", payload.script(lab.listener.port)])
    hostd = lab.hostd([settings]).start()
    show = Show()
    play(Act(show, lab, hostd, guest, settings, lab.listener), kind)
    status = hostd.process.stop(lab.seconds(10))
    need(not show.failed, "; ".join(show.failed))
    need(status == 0, f"hostd ended with status {status} on SIGTERM")
