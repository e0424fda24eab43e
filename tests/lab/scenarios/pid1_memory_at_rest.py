"""PID 1 at rest has at most 1 MiB of memory of its own."""

import re

from show import need


def play(lab):
    guest, hostd = lab.serve()
    status, words = lab.run_in_guest(hostd, "lab", "/bin/cat", "/proc/1/status")
    need(status == 0, f"{status}: {words}")
    own = int(re.search(r"RssAnon:\s+(\d+) kB", words)[1])
    whole = int(re.search(r"VmRSS:\s+(\d+) kB", words)[1])
    lab.say(f"PID 1: {own} KiB of its own, {whole} KiB with the pages of its file")
    need(own <= 1024, f"{own} KiB")
    lab.shut_down(hostd, guest)
