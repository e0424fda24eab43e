"""PID 1 reaps ten thousand orphans and leaves no zombie."""

from image import Image
from kernel import Kernel
from show import need
from wait import wait_for

ZOMBIES = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l"


def play(lab):
    image = Image(Kernel()).add_init().add_program("/bin/orphans", lab.compile("orphans"))
    guest, hostd = lab.serve(image=image)
    status, words = lab.control(hostd, "exec", "lab", "--", "/bin/orphans", seconds=180)
    need(status == 0, f"orphans ended with {status}: {words}")
    lab.say("ten thousand orphans were made")

    def none_left():
        _, left = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", ZOMBIES)
        return left.strip() == "0"
    wait_for("the last zombie to go", lab.seconds(20), none_left)
    lab.need_alive(hostd)
    lab.wait_counting()
    lab.shut_down(hostd, guest)
