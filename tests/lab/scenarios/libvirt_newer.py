"""libvirt and QEMU of the next Debian (13) serve a domain as this one's do; and libvirtd killed under it."""

import libvirt_newer
from scenarios import libvirt_domain

NEEDS = "libvirt"


def play(lab):
    libvirt_domain.served(lab, libvirt_newer.here(lab))
