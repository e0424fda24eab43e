"""A host that dies at any moment, or asks for nonsense in sound frames: PID 1 serves the next one."""

import os
import random
import struct

import plain_host as ph
from show import need
from wait import TimedOut, wait_for

REQUESTS = 400
# Where the connection ends: a name, what is done before it ends, bytes of a frame that are cut off.
PING = ph.frame(ph.PING, 0, 9)


def play(lab):
    guest = lab.guest("lab", "old")
    host = ph.PlainHost(guest, lab.seconds)
    guest.start()
    host.serve()
    need(host.do(ph.START_PROCESS, ph.process(1, ["/bin/sleep", "100000"], role=ph.PAYLOAD))[0] == 0,
         "the payload was not started")
    look = "cat /proc/sys/kernel/random/boot_id; pidof sleep; grep heap /proc/1/maps || echo no heap"
    _, first = host.shell(look)
    moments(lab, host)
    nonsense(lab, host)
    host.serve()
    unacknowledged(lab, host)
    host.need_alive()
    _, last = host.shell(look)
    need(first.split()[0] == last.split()[0], "it is another boot")
    need(first.splitlines()[-1] == last.splitlines()[-1], f"its heap grew: {first} {last}")
    lab.say(f"its heap after all that: {last.splitlines()[-1]}")
    lab.say(f"PID 1 has {at_rest(lab, host)} KiB of its own, few files open, and left no zombies")
    need(host.do(ph.SHUT_DOWN, ph.shut_down())[0] == 0, "shut-down")
    host.hang_up()  # dies before the farewell
    need(guest.wait_off(lab.seconds(20)) == 0, "QEMU did not end with status 0")
    lab.say("powered off as asked, by a host that did not live to see it")


def at_rest(lab, host):
    """What its jobs had open is closed, and who ended is reaped; returns its own memory in KiB."""
    seen = []

    def few():
        _, words = host.shell("ls /proc/1/fd | wc -l; grep RssAnon /proc/1/status; "
                              "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l")
        seen[:] = words.split()
        return int(seen[0]) <= 14 and seen[-1] == "0"
    try:
        wait_for("PID 1 to be at rest", lab.seconds(10), few, 0.2)
    except TimedOut as error:
        raise TimedOut(f"{error}: files open, memory, zombies: {seen}") from None
    return seen[2]


def moments(lab, host):
    """Hangs up at every kind of moment."""
    def before_welcome():
        host.accept()

    def within_welcome():
        number = host.accept()
        host.send(ph.frame(ph.WELCOME, 1, number, ph.welcome())[:20])

    def right_after_welcome():
        host.serve()

    def within_a_frame():
        host.serve()
        host.send(PING + ph.frame(ph.START_PROCESS, 0, 2, ph.process(5, ["/bin/true"]))[:40])

    def before_its_answers():
        host.serve()
        for number in range(30):
            host.ask(ph.MOUNT, ph.mount(f"tag{number}", f"/mnt/{number}", 2000 + number))
            host.ask(ph.START_PROCESS, ph.process(100 + number, ["/bin/sleep", "1000"]))

    def while_output_comes():
        host.serve()
        host.ask(ph.START_PROCESS, ph.process(50, ["/bin/cat", "/dev/zero"]))
        host.wait("output", lambda: len(host.output.get(50, b"")) > 300000)

    def with_answers_unread():
        host.serve()
        host.send(PING * 3000)

    for moment in (before_welcome, within_welcome, right_after_welcome, within_a_frame,
                   before_its_answers, while_output_comes, with_answers_unread):
        host.hang_up()
        moment()
        host.hang_up()
        lab.say(f"died {moment.__name__.replace('_', ' ')}")
    host.serve()
    host.need_alive()
    wait_for("the commands of a lost host to end", lab.seconds(20), lambda: host.shell(
        "ps | grep -c -e 'sleep 1000$' -e 'cat /dev/zero$'")[1].strip() == "0", 0.2)
    lab.say("the commands of the dead hosts got SIGHUP; the payload lives")


def nonsense(lab, host):
    """Frames whose lengths are sound and whose values are not."""
    source = random.Random(int(os.environ.get("LAB_SEED", "1")))
    table = (
        (ph.MOUNT, ph.mount("tag", "/mnt/nonsense", 1), ((4, 12), (16, 18))),
        (ph.UNMOUNT, ph.unmount("/mnt/nonsense"), ((4, 8),)),
        (ph.CONFIGURE_NETWORK, ph.network("52:54:00:12:34:56", ("1.2.3.4/5",), ("::1",), ("x",),
                                          ("y",), timeout_ms=50), ((8, 14), (16, 20))),
        (ph.START_PROCESS, ph.process(7, ["/bin/true"]), ((4, 24),)),
        (ph.SEND_SIGNAL, struct.pack("<III", 12, 3, 9), ((4, 12),)),
        (ph.PROCESS_INPUT, struct.pack("<IIHH", 12, 1, 3, 0) + b"abc", ((4, 8),)),
        (ph.ADD_ENTROPY, struct.pack("<IIHH", 12, 8, 3, 0) + b"abc", ((4, 8),)),
        (ph.SET_HOSTNAME, struct.pack("<IHH", 8, 3, 0) + b"abc", ((8, 11),)),
        (ph.SHUT_DOWN, ph.shut_down(), ((5, 6), (8, 12))),
        (ph.GET_POOL_USAGE, b"", ()), (ph.GET_CAPABILITIES, b"x", ()), (ph.PING, b"junk", ()),
        (99, b"any", ()), (ph.READY, b"\x08\0\0\0\0\0\0\0", ()), (ph.FAREWELL, b"", ()),
    )
    asked = []
    while len(asked) < REQUESTS:
        kind, payload, holes = source.choice(table)
        payload = bytearray(payload)
        for begin, end in holes:
            few = source.random() < 0.5
            for at in range(begin, end):
                payload[at] = source.randrange(4) if few else source.randrange(256)
        if kind == ph.SHUT_DOWN:
            payload[5] |= 1  # no way that there is
        if kind == ph.SET_HOSTNAME:
            payload[8:11] = bytes(byte % 128 or 1 for byte in payload[8:11])
        if kind == ph.START_PROCESS:
            payload[22] |= 0x80  # nobody, who can do nothing
        asked.append(host.ask(kind, bytes(payload)))
        if len(asked) % 40 == 0:
            host.result(host.ask(ph.PING), 60)
    for number in asked:
        host.answer(number)
    host.need_alive()
    lab.say(f"{REQUESTS} nonsensical requests were answered, each")
    host.ask(ph.MOUNT, b"\x18\0\0\0" + b"\xff" * 30)
    host.wait_closed(10)
    lab.say("a malformed one: the guest hung up")
    host.serve()
    host.need_alive()


def unacknowledged(lab, host):
    """A payload's end that the host did not acknowledge is told again to the next one."""
    host.acknowledges = False
    host.do(ph.SEND_SIGNAL, struct.pack("<III", 12, 1, 15))
    end = host.wait_exit(1)
    pid = end.pid
    need(end.again_ms == ph.NOT_AGAIN, f"restart=never, and yet again in {end.again_ms} ms")
    host.hang_up()
    host.acknowledges = True
    host.serve()
    again = host.wait_exit(1, count=2)
    need((again.pid, again.signal) == (pid, 15), f"another end was told: {vars(again)}")
    host.hang_up()
    host.serve()
    host.settle(0.5)
    need(len([e for e in host.exits if e.process == 1]) == 2, "it was told a third time")
    lab.say("the payload's end was told again until it was acknowledged")
