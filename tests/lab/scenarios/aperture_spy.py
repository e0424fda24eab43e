"""A spy in place of virtiofsd, C and Rust, and of passt finds a guest's secret without an aperture; and with one nothing, however it cheats."""

import os

import confined
import newer
import spy
from network import Namespace, what_is_missing
from run import POOL
from scenarios.kill_virtiofsd import Share
from show import need

NEEDS = "virtiofsd unpacking newer"
UDMABUF = True


def play(lab):
    if not os.path.exists("/dev/udmabuf"):
        lab.skip("this kernel has no /dev/udmabuf: tests/run aperture-spy goes into a VM that has")
    why = what_is_missing() if newer.qemu() else "QEMU and passt of the next Debian are not there"
    if why:
        virtiofsds(lab)
        lab.skip(f"of virtiofsd it held; of passt it was not tried: {why}")
    with Namespace(f"guestlink-{os.getpid()}", "10.0.9.2/24") as namespace:
        virtiofsds(lab, namespace)


def virtiofsds(lab, namespace=None):
    """And passt, if there is a namespace."""
    spied = spy.Spied(lab, "open", namespace, aperture="off")
    finds(spied.look(next(iter(spy.programs()))))
    if namespace:
        finds(spied.look_from_passt())
    spied.end()

    spied = spy.Spied(lab, "closed", namespace, aperture="require")
    kinds = list(spy.programs())
    for kind in kinds:
        finds_nothing(lab, spied.look(kind), spied.aperture(kind, "enforced"))
    if namespace:
        finds_nothing(lab, spied.look_from_passt(), spied.aperture_of_passt("enforced"))
        lab.say(f"what passt forges: {spied.forge()}")
    lives(lab, spied, kinds[-1])
    finds_nothing(lab, spied.look_again(kinds[-1]))
    if namespace:
        finds_nothing(lab, spied.look_from_passt(), spied.aperture_of_passt("enforced"))
    spied.end()


def lives(lab, spied, kind):
    """Through what can happen to a share, enforced; aperture-life does that, and more, narrowed."""
    hostd = spied.hostd
    share = Share(lab, hostd, str(spied.folder(kind)))
    for what, pids in (("virtiofsd", lambda: share.pids), ("the relay", lambda: [share.relays[-2]]),
                       ("the keeper", lambda: [share.relays[-1]])):
        share.killed(what, pids, "")
        spied.comes_back(kind)
    hostd.process.kill()
    hostd.process.wait()
    ready = len(hostd.events("GuestReady"))
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(60), count=ready + 1)
    spied.comes_back(kind)
    spied.bind_again(kind)
    pools = [confined.pool_of(hostd)]
    spied.reboots()
    spied.comes_back(kind)
    pools.append(confined.pool_of(hostd))
    tables = list(confined.told(spied.folder(kind)))
    rings = confined.widest(tables, pools, "enforced")
    # The first one's, of each that came in another's place, and where the rings lie elsewhere.
    need(len(tables) >= 6, f"not all were told: {tables}")
    lab.say(f"of {len(tables)} tables none has more than the pool and {rings} bytes of rings")
    need(not hostd.events("DeviceAperture"), f"{hostd.events('DeviceAperture')}")


def finds(report):
    need("later/told" in report.found, f"the spy does not find what it must: {report.text}")


def finds_nothing(lab, report, size=None):
    """size: bytes that the daemon says it can reach, if that did not change."""
    lab.say(report.text)
    need(not report.found, f"found: {report.found}")
    need(not report.granted, f"granted: {report.granted}")
    wanted = spy.ATTEMPTS | (spy.SOCKETS if "passt" in report.text.splitlines()[0] else set())
    need(wanted <= set(report.attempts),
         f"not tried: {wanted - set(report.attempts)}: {report.text}")
    need(report.told == size or size is None and report.told <= POOL + confined.RINGS,
         f"told {report.told} bytes, not {size}")
