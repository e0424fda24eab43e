"""Interfaces in one guest: IPv4, IPv6, routes, MTU, DNS; twice, wrong, absent, taken away; two with gateways."""

import time

import plain_host as ph
from show import need
from wait import wait_for

MAC = "52:54:00:12:34:56"
EINVAL, ETIMEDOUT = 22, 110
WHOLE = {"addresses": ("10.0.2.15/24", "fd00::15/64"), "gateways": ("10.0.2.2", "fd00::2"),
         "routes": ("10.9.0.0/16 10.0.2.9", "fd09::/48 fd00::9"),
         "dns": ("10.0.2.3", "fd00::3"), "mtu": 1400}
# Without what the kernel makes of QEMU's advertisements as a router (fec0), which come when they do.
LOOK = ("ip addr show eth0 | grep -v -e valid_lft -e fec0; ip route; "
        "ip -6 route | grep -v -e fe80 -e fec0 -e multicast; cat /etc/resolv.conf")
# What must be refused, the errno, and a word that its text must have.
WRONG = (
    ({"addresses": ("10.0.2.256/24",)}, EINVAL, "10.0.2.256"),
    ({"addresses": ("fd00::15/129",)}, EINVAL, "129"),
    ({"gateways": ("10.0.2.2/24",)}, EINVAL, "gateway"),
    ({"routes": ("10.9.0.0/16",)}, EINVAL, "route"),
    ({"dns": ("example.org",)}, EINVAL, "example.org"),
    ({"mtu": 7}, EINVAL, "mtu less than device minimum"),
    ({"addresses": ("10.0.2.256/24", "10.0.2.15/24", "fd00::15/129"), "gateways": ("10.0.2.2",)}, EINVAL,
     "eth0: address '10.0.2.256/24': expected an address/prefix; address 'fd00::15/129'"),
)


def play(lab):
    guest = lab.guest("lab", "old")
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    asked = host.ask(ph.CONFIGURE_NETWORK, ph.network(MAC, timeout_ms=100000, **WHOLE))
    host.need_alive()
    need(asked not in host.answers, "configured before the adapter is there")
    guest.ask_qemu("netdev_add", type="user", id="net", ipv4=True, ipv6=True)
    guest.ask_qemu("device_add", driver="virtio-net-pci", id="adapter", netdev="net", mac=MAC,
                   bus="rp1")
    need(host.result(asked, 100)[0] == 0, f"network: {host.result(asked)}")
    # The link comes up, and has an address that the kernel made, when they do.
    first = wait_for("the link to be up", lab.seconds(20), lambda: settled(host), 0.2)
    for word in ("inet 10.0.2.15/24 brd 10.0.2.255", "inet6 fd00::15/64", "mtu 1400",
                 "default via 10.0.2.2", "10.9.0.0/16 via 10.0.2.9", "fd09::/48 via fd00::9",
                 "default via fd00::2", "nameserver 10.0.2.3", "nameserver fd00::3"):
        need(word in first, f"{word!r} is not there: {first}")
    lab.say("v4, v6, gateways, routes, MTU and DNS are set")
    status, words = host.shell(f"echo hello | nc -w 15 10.0.2.2 {lab.listener.port}")
    need("the host heard you" in words and lab.listener.heard == ["hello"], f"{status}: {words}")
    lab.say("a packet went there and back")

    need(host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, **WHOLE))[0] == 0, "the second time")
    need(look(host) == first, f"the second time changed something: {look(host)}")
    lab.say("the second time changed nothing")
    wrong(lab, host)
    need(host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, **WHOLE))[0] == 0, "the third time")
    need(look(host) == first, f"what was refused changed something: {look(host)}")
    absent(lab, host)
    read_only_root(lab, host)
    removed(lab, host)
    two(lab, host, guest)
    host.need_alive()
    need(host.do(ph.SHUT_DOWN, ph.shut_down(ph.HALT))[0] == 0, "the halt was refused")
    host.wait("FAREWELL", lambda: host.farewell)
    guest.wait_console(r"reboot: System halted", lab.seconds(20))
    need(host.farewell[:2] == (ph.HALT, 0), f"farewell {host.farewell}")
    need(guest.process.alive(), "QEMU ended: that was no halt")
    lab.say("halted as asked: the machine is on, and its processor stands still")


def settled(host):
    words = look(host)
    return words if "LOWER_UP" in words and "fe80" in words else None


def look(host):
    """What is configured, without what the kernel itself still finds out about its own address."""
    return host.shell(LOOK)[1].replace(" tentative", "")


def wrong(lab, host):
    for change, expected, word in WRONG:
        error, text = host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, **change))
        need(error == expected and word in text, f"{change}: {error}: {text}")
        lab.say(f"refused: {text}")


def absent(lab, host):
    began = time.monotonic()
    error, text = host.do(ph.CONFIGURE_NETWORK, ph.network("52:54:00:00:00:99", timeout_ms=1000))
    took = time.monotonic() - began
    need(error == ETIMEDOUT and "52:54:00:00:00:99" in text, f"{error}: {text}")
    need(0.9 < took < lab.seconds(4), f"ETIMEDOUT after {took:.1f} s of 1")
    lab.say(f"{text}, after {took:.1f} s")


def read_only_root(lab, host):
    """resolv.conf is made anew over a root that cannot be written."""
    host.shell("mount -o remount,ro /")
    error, text = host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, dns=("10.0.2.4",)))
    need(error == 0, f"on a read-only root: {error}: {text}")
    status, words = host.shell("cat /etc/resolv.conf; touch /x")
    need(words.startswith("nameserver 10.0.2.4\n") and status != 0, f"{status}: {words}")
    lab.say("on a read-only root: resolv.conf is mounted over the old one")


def removed(lab, host):
    for time_ in ("once", "twice"):
        error, text = host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, remove=True))
        need(error == 0, f"removed {time_}: {error}: {text}")
    words = look(host)
    for word in ("inet ", "inet6", "default", "nameserver", ",UP"):
        need(word not in words, f"{word!r} is left: {words}")
    need(host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, **WHOLE))[0] == 0, "set again")
    lab.say("taken away, twice, and set again")


OTHER = "52:54:00:12:34:57"
OFF_SUBNET = {"addresses": ("10.0.3.15/32", "fd03::15/128"), "gateways": ("192.0.2.1", "fd99::1"),
              "dns": ("10.0.3.3",)}
STUB = "/run/systemd/resolve/stub-resolv.conf"


def two(lab, host, guest):
    """The lesser metric has the default route, whoever was configured last; one that goes, with or without
    a word, takes nothing of the other's along. resolv.conf may be a link, and need not be."""
    host.shell("mount -o remount,rw /; umount /etc/resolv.conf; rm -f /etc/resolv.conf; "
               f"ln -s ..{STUB} /etc/resolv.conf")
    guest.ask_qemu("netdev_add", type="user", id="net2", ipv4=True, ipv6=True)
    guest.ask_qemu("device_add", driver="virtio-net-pci", id="adapter2", netdev="net2", mac=OTHER,
                   bus="rp2")
    set_up(host, OTHER, metric=101, flags=2, **OFF_SUBNET)
    _, words = host.shell("cat /proc/sys/net/ipv6/conf/*/accept_ra | sort -u | tr -d '\\n'; ip route; "
                          f"cat {STUB}; [ -L /etc/resolv.conf ] && echo link")
    for word in ("default via 192.0.2.1 dev eth1", "onlink", "nameserver 10.0.3.3", "link"):
        need(word in words, f"{word!r} is not there: {words}")
    need(words.startswith("01"), f"one interface heeds advertisements, and one does not: {words}")
    set_up(host, MAC, metric=100, **WHOLE)
    order(host, "eth0")
    set_up(host, MAC, metric=102, **WHOLE)
    order(host, "eth1")
    lab.say("two gateways, one of them off its subnet: the order is that of the metrics, of DNS as well")
    for target, word in (("/mnt/none/resolv.conf", "/mnt/none"), ("../etc/resolv.conf", "dangling")):
        host.shell(f"rm -f /etc/resolv.conf; ln -s {target} /etc/resolv.conf")
        error, text = host.do(ph.CONFIGURE_NETWORK, ph.network(MAC, metric=102, **WHOLE))
        need(error == 0 and word in text and "/run/guestlink/resolv.conf" in text, f"{error}: {text}")
        lab.say(f"a remark: {text}")
    host.shell(f"rm -f /etc/resolv.conf; ln -s /var/run/resolv.conf /etc/resolv.conf; ln -s /run /var/run")
    set_up(host, MAC, metric=102, **WHOLE)
    guest.ask_qemu("device_del", id="adapter2")
    wait_for("eth1 to be gone", lab.seconds(20), lambda: host.shell("ip link show eth1")[0] != 0, 0.2)
    words = host.shell("ip route show default; ip -6 route show default")[1]
    need("default via 10.0.2.2 dev eth0" in words and "via fd00::2" in words, f"no default route: {words}")
    need(host.do(ph.CONFIGURE_NETWORK, ph.network(OTHER, remove=True, timeout_ms=60000))[0] == 0,
         "nothing to remove")
    words = host.shell("cat /run/resolv.conf")[1]
    need(words == "nameserver 10.0.2.3\nnameserver fd00::3\n", words)
    lab.say("one went without a word: the other's default route and name servers are there")


def set_up(host, mac, **what):
    error, text = host.do(ph.CONFIGURE_NETWORK, ph.network(mac, **what), 60)
    need((error, text) == (0, ""), f"{error}: {text}")


def order(host, first):
    """Whose default routes and name servers are the first."""
    second = {"eth0": "eth1", "eth1": "eth0"}[first]
    for family in ("-4", "-6"):
        words = host.shell(f"ip {family} route show default | grep static; ip {family} route show default")[1]
        metrics = {line.split(" dev ")[1].split()[0]: int(line.split(" metric ")[1].split()[0])
                   for line in words.splitlines() if " via fe80" not in line}
        need(metrics[first] < metrics[second], f"{family}: {words}")
    servers = host.shell("cat /etc/resolv.conf")[1]
    at = {"eth0": servers.index("10.0.2.3"), "eth1": servers.index("10.0.3.3")}
    need(at[first] < at[second], servers)
