"""Two adapters with a gateway each: the first in the list has the default route; what one cannot set is told, and costs nothing else; one that goes leaves the other's."""

from hostd import adapter
from show import need
from wait import wait_for

LOOK = "ip -4 route show default; grep nameserver /etc/resolv.conf; ip -4 -o addr show scope global"


def play(lab):
    # The metrics are another order than that of the names, which the kernel gives by chance.
    first = adapter(id="net1", mac="52:54:00:12:34:61", address=["10.0.2.15/24"], gateway="10.0.2.2",
                    dns=["10.0.2.3"])
    # No IPv6 below 1280 bytes; a gateway that is in no subnet.
    second = adapter(id="net0", mac="52:54:00:12:34:60", gateway="192.0.2.1", mtu=1000,
                     address=["fd00::1/64", "10.0.3.15/32"], dns=["10.0.3.3"], accept_ra=False)
    guest = lab.guest("lab", "failed")
    settings = lab.usual_vm(guest, network=[first, second])
    hostd = lab.hostd([settings]).start()
    guest.start()
    hostd.wait_event("GuestReady", lab.seconds(60))
    need("net0" not in hostd.log() or "1280" in hostd.log(), f"no word of the MTU: {hostd.log()}")
    failed = hostd.wait_failure(lab.seconds(20), "adapter")
    need(failed["device"] == "net0" and "fd00::1/64" in failed["text"], f"{failed}")
    lab.say(f"told: {failed['text']}")
    words = look(lab, hostd)
    lines = words.splitlines()
    need(" via 10.0.2.2 " in lines[0] and "metric 100" in lines[0], words)
    need(" via 192.0.2.1 " in lines[1] and "metric 101 onlink" in lines[1], words)
    need(lines[2:4] == ["nameserver 10.0.2.3", "nameserver 10.0.3.3"], words)
    need("10.0.3.15/32" in words, f"the address behind the wrong one: {words}")
    lab.say("the first in the list has the default route and the first name server")
    settings["network"] = [second]
    hostd.reload()
    words = wait_for("the other's default route alone", lab.seconds(30), lambda: alone(lab, hostd), 0.5)
    need("nameserver 10.0.3.3" in words and "10.0.2.3" not in words, words)
    lab.say("when it goes, the other's is there")
    lab.shut_down(hostd, guest)


def look(lab, hostd):
    status, words = lab.run_in_guest(hostd, "lab", "/bin/sh", "-c", LOOK)
    need(status == 0, f"{status}: {words}")
    return words


def alone(lab, hostd):
    words = look(lab, hostd)
    return words if words.count("default ") == 1 and "192.0.2.1" in words else None
