"""A domain of libvirt's: bare."""

import libvirt
from domain import Domain
from hostd import vm_settings
from image import Image
from kernel import Kernel
from show import need


def play(lab):
    why = libvirt.what_is_missing()
    if why:
        lab.skip(why)
    host = libvirt.Libvirt(lab.folder, lab.sockets).start()
    lab.say(host.ask("version").replace("\n", "; "))
    kernel = Kernel()
    image = Image(kernel, ["virtio_console"]).add_init()
    domain = Domain(host, lab.folder / "dev", lab.sockets, kernel.image, lab.write(image))
    domain.define()
    hostd = lab.hostd([vm_settings(domain, "dev", device_host={"type": "none"})]).start()
    domain.let_in()
    domain.start()
    lab.say("started")
    hostd.wait_event("GuestReady", lab.seconds(60))
    lab.say("ready")
    print(lab.run_in_guest(hostd, "dev", "uname", "-a"))
    print(lab.control(hostd, "shutdown", "dev"))
    domain.wait_state("shut off", lab.seconds(20))
