"""A spy in place of virtiofsd, C and Rust, finds a guest's secret without an aperture; and with one nothing, however it cheats."""

import os

import spy
from show import need

NEEDS = "virtiofsd unpacking"
UDMABUF = True


def play(lab):
    if not os.path.exists("/dev/udmabuf"):
        lab.skip("this kernel has no /dev/udmabuf: tests/run aperture-spy goes into a VM that has")
    spied = spy.Spied(lab, "open", aperture="off")
    report = spied.look(next(iter(spy.programs())))
    need("later/told" in report.found, f"the spy does not find what it must: {report.text}")
    spied.end()

    spied = spy.Spied(lab, "closed", aperture="require")
    for kind in spy.programs():
        report = spied.look(kind)
        lab.say(report.text)
        need(not report.found, f"found: {report.found}")
        need(not report.granted, f"granted: {report.granted}")
        need(spy.ATTEMPTS <= set(report.attempts), f"not all was tried: {report.text}")
        need(report.told == spied.aperture(kind, "enforced"), f"told {report.told} bytes")
    spied.end()
