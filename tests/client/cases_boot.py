"""What a host asks for during a boot, what it makes of the pool, and boots that come again."""

import contextlib
import os

import guestlink_guest as g
from cases_wire import check, check_ping, check_welcome
from guestlink_guest import Guest

WITH_DEVICES = {
    "hostname": "second",
    "shares": [
        {"tag": "c", "path": "/tmp", "target": "/mnt/c", "read_only": True},
        {"tag": "d", "path": "/tmp", "target": "/mnt/d"},
    ],
    "network": [{
        "id": "eth0", "mac": "52:54:00:12:34:56", "address": ["10.0.2.15/24", "fd00::15/64"],
        "gateway": "10.0.2.2", "dns": ["10.0.2.3"], "mtu": 1400,
    }],
    "payload": {
        "argv": ["/bin/sh", "-c", "exit 3"],
        "limits": {"nofile": [1024, 524288], "core": "unlimited"},
        "umask": "0027",
        "stop_signal": "SIGQUIT",
        "stop_timeout_ms": 90000,
        "memory_max": "512M",
        "pids_max": 100,
    },
}  # fmt: skip
POOL = {"features": 0x3F, "swiotlb_base": 0x14000000, "swiotlb_size": 64 << 20}
TOKEN = "swiotlb=0x14000000,67108864"
VMS = {
    "boot_asks_for_everything_in_order": WITH_DEVICES,
    "guest_of_1_0_is_asked_all_the_same_and_the_operator_told": WITH_DEVICES,
    "answers_in_reverse_order": WITH_DEVICES,
    "guest_that_refuses_everything_is_still_completed": WITH_DEVICES,
    "same_boot_again_is_asked_again": WITH_DEVICES,
    "usable_pool_makes_a_token_for_every_device": {**WITH_DEVICES, "swiotlb": "64M"},
    "share_is_never_9p_on_the_guests_word": {
        "shares": [{"tag": "c", "path": "/tmp", "target": "/mnt/c"}]},
    "pool_is_refused_for_the_reason_that_holds": {"swiotlb": "64M"},
    "missing_pool_is_warned_of_once_a_release": {"swiotlb": "64M"},
    "warning_is_remembered_by_a_daemon_that_was_started_again": {"swiotlb": "64M"},
}


def types(frames):
    return [frame.type for frame in frames if not frame.flags & g.ANSWER]


def case_boot_asks_for_everything_in_order(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        frames = guest.serve_until(g.COMPLETE_BOOT)
        asked = types(frames)
        for once in (g.SET_HOSTNAME, g.CONFIGURE_NETWORK, g.START_PROCESS, g.COMPLETE_BOOT):
            check(asked.count(once) == 1, f"type {once} was asked for {asked.count(once)} times")
        check(asked.count(g.MOUNT) == 2, f"{asked.count(g.MOUNT)} mounts")
        check(g.ADD_ENTROPY in asked, "no entropy")
        start = asked.index(g.START_PROCESS)
        check(all(asked.index(t) < start for t in (g.MOUNT, g.CONFIGURE_NETWORK)), f"order {asked}")
        ids = [frame.id for frame in frames]
        check(0 not in ids and len(set(ids)) == len(ids), f"ids {ids}")
        fields = {frame.type: frame.fields() for frame in frames if frame.payload}
        check(fields[g.SET_HOSTNAME]["name"] == "second", "hostname")
        check(fields[g.CONFIGURE_NETWORK]["mac"].hex(":") == "52:54:00:12:34:56", "mac")
        check(fields[g.CONFIGURE_NETWORK]["addresses"] == ["10.0.2.15/24", "fd00::15/64"], "address")
        check(fields[g.CONFIGURE_NETWORK]["gateways"] == ["10.0.2.2"], "gateway")
        check(fields[g.CONFIGURE_NETWORK]["dns"] == ["10.0.2.3"], "dns")
        check(fields[g.CONFIGURE_NETWORK]["mtu"] == 1400, "mtu")
        check(fields[g.START_PROCESS]["argv"] == ["/bin/sh", "-c", "exit 3"], "argv")
        check(fields[g.START_PROCESS]["process"] != 0, "process number 0")
        bounds = {"limits": ["nofile 1024 524288", "core unlimited unlimited"], "umask": 0o27,
                  "flags": 8, "stop_signal": 3, "stop_timeout_ms": 90000, "memory_max": 512 << 20,
                  "pids_max": 100}  # fmt: skip
        asked_for = {key: fields[g.START_PROCESS][key] for key in bounds}
        check(asked_for == bounds, f"bounds {asked_for}")
        check("does not support limits" not in host.stderr_of(vm), "a guest of 1.1 knows them")
        mounts = sorted(
            (f.fields()["tag"], f.fields()["target"], f.fields()["flags"])
            for f in frames if f.type == g.MOUNT
        )  # fmt: skip
        check([m[1:] for m in mounts] == [("/mnt/c", 1), ("/mnt/d", 0)], f"mounts {mounts}")
        host.wait_for_event("GuestReady", vm)
        exit_report = {"process": fields[g.START_PROCESS]["process"], "status": 3, "pid": 99,
                       "again_ms": g.NOT_AGAIN, "exited_ns": 5}  # fmt: skip
        guest.receive_answer(guest.send(g.CHILD_EXITED, exit_report))
        host.wait_for_event("ChildExit", vm)
        guest.receive_answer(guest.send(g.FAREWELL, {"how": 0, "reason": 3}))
    host.wait_for_event("GuestDisconnected", vm)


def case_guest_of_1_0_is_asked_all_the_same_and_the_operator_told(host, vm):
    with Guest(host.path(vm), facts={"minor": 0, "init_version": "0.1.0"}) as guest:
        check_welcome(guest.greet(), version=(1, 0))
        frames = guest.serve_until(g.COMPLETE_BOOT)
        check(g.START_PROCESS in types(frames), "no payload")
        check("the guest's guestlink-init 0.1.0 does not support limits, umask" in host.stderr_of(vm),
              host.stderr_of(vm))


def case_share_is_never_9p_on_the_guests_word(host, vm):
    """auto is what the operator chose: a guest without virtiofs has no such share, and both know why."""
    with Guest(host.path(vm), facts={"features": 0x4}) as guest:
        check_welcome(guest.greet())
        asked = types(guest.serve_until(g.COMPLETE_BOOT))
        check(g.MOUNT not in asked, "a MOUNT")
    event = host.wait_for_event("DeviceFailed", vm)
    check("has no virtiofs" in event["text"], event["text"])
    check('"transport": "9p"' in event["text"], event["text"])


def case_answers_in_reverse_order(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        waiting = []
        while g.COMPLETE_BOOT not in types(waiting):
            waiting = [guest.receive()]
            with contextlib.suppress(TimeoutError):
                while True:
                    waiting.append(guest.receive(0.3))
            for frame in reversed(waiting):
                guest.serve(frame)
        host.wait_for_event("GuestReady", vm)


def case_guest_that_refuses_everything_is_still_completed(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        while True:
            frame = guest.receive()
            guest.answer(frame, 5, "no, said the guest\x1b[31m")
            if frame.type == g.COMPLETE_BOOT:
                break
        check_ping(guest)


def case_same_boot_again_is_asked_again(host, vm):
    boot = os.urandom(16)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        guest.serve_until(g.COMPLETE_BOOT)
        host.wait_for_event("GuestReady", vm)
    host.wait_for_event("GuestDisconnected", vm)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet({"sent_ns": 77, "started_ns": 76}))
        guest.serve_until(g.COMPLETE_BOOT)
        check_ping(guest)


def case_other_facts_in_the_same_boot_are_refused_and_the_first_stay(host, vm):
    boot = os.urandom(16)
    with Guest(host.path(vm), boot) as first:
        check_welcome(first.greet())
        for change in ({"swiotlb_base": 4096, "swiotlb_size": 4096}, {"features": 0}, {"minor": 2},
                       {"memory_bytes": 1}, {"page_size": 1}, {"cpu_count": 77},
                       {"kernel_release": "x"}, {"init_version": "x"}):  # fmt: skip
            with Guest(host.path(vm), boot, change) as second:
                check_welcome(second.greet(), 3)
                check(second.is_closed(), "refused and not closed")
            check_ping(first)


def case_replay_of_an_old_boot_with_changed_facts(host, vm):
    """The guest reconnects, as after a lost connection, and says something else."""
    boot = os.urandom(16)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
    host.wait_for_event("GuestDisconnected", vm)
    with Guest(host.path(vm), boot, POOL) as guest:
        check_welcome(guest.greet(), 3)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        check_ping(guest)


def case_new_boot_starts_over(host, vm):
    for facts in ({}, POOL, {"cpu_count": 77}):
        with Guest(host.path(vm), facts=facts) as guest:
            check_welcome(guest.greet())
            check_ping(guest)


def case_capabilities_again_on_the_same_connection(host, vm):
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet())
        ident = guest.send(g.CAPABILITIES, guest.facts)
        answer = guest.receive_answer(ident)
        check(answer.type == g.WELCOME and answer.fields()["status"] == 0, f"again: {answer}")
        ident = guest.send(g.CAPABILITIES, {**guest.facts, "cpu_count": 9})
        answer = guest.receive_answer(ident)
        check(answer.type == g.WELCOME and answer.fields()["status"] == 3, f"others: {answer}")
        check(guest.is_closed(), "other facts did not end the connection")


def case_usable_pool_makes_a_token_for_every_device(host, vm):
    with Guest(host.path(vm), facts=POOL) as guest:
        check_welcome(guest.greet())
        guest.serve_until(g.COMPLETE_BOOT)
    applied = host.wait_for_event("ApplyGuestCapabilities", vm)
    check(applied.get("token") == TOKEN, f"{applied}")
    check(applied.get("HvPciSwiotlbBase") == "0x14000000", f"{applied}")
    check(applied.get("HvPciSwiotlbSize") == 64 << 20, f"{applied}")
    vm_id = host.vms[vm]["id"]
    shares = host.events("AddVirtioFsShare", vm)
    options = sorted(event["options"] for event in shares)
    expected = sorted((f"ro;{TOKEN};vmId={vm_id}", f"{TOKEN};vmId={vm_id}"))
    check(options == expected, f"options {options}")
    adapter = host.wait_for_event("AddNetAdapter", vm)
    check(adapter["options"] == f"{TOKEN};vmId={vm_id}", f"{adapter}")


def case_pool_is_refused_for_the_reason_that_holds(host, vm):
    half = 256 << 20
    rows = [
        (True, 4096, 4096, None), (True, 64 << 20, half, None),
        (True, 64 << 20, half + 4096, "too-large"), (True, 0, 4096, "zero"),
        (True, 4096, 0, "zero"), (True, 0, 0, "zero"), (True, 4097, 4096, "unaligned"),
        (True, 4096, 4097, "unaligned"), (True, (4 << 30) - 4096, 4096, "not-ram"),
        (True, 2 * half, 4096, "not-ram"), (True, 2 * half - 4096, 8192, "not-ram"),
        (True, 2 * half - 4096, 4096, None), (True, 0xFEC00000, 4096, "not-ram"),
        (True, 0xFEE00000, 4096, "not-ram"), (True, 0xF0000, 4096, "not-ram"),
        (True, (4 << 30) - 4096, 8192, "beyond-4g"), (True, 4 << 30, 4096, "beyond-4g"),
        (True, (1 << 64) - 4096, 8192, "overflow"), (False, 4096, 4096, None),
        (False, 4097, 4096, "unaligned"),
    ]  # fmt: skip
    for bit, base, size, reason in rows:
        # each its own kernel: what is wrong with a release is said once
        facts = {"features": 0x2F | (0x10 if bit else 0), "swiotlb_base": base,
                 "swiotlb_size": size, "kernel_release": f"k-{bit}-{base}-{size}"}  # fmt: skip
        seen = len(host.events("ApplyGuestCapabilities", vm))
        rejected = len(host.events("SwiotlbPoolRejected", vm))
        with Guest(host.path(vm), facts=facts) as guest:
            check_welcome(guest.greet())
            check_ping(guest)
        applied = host.wait_for_event("ApplyGuestCapabilities", vm, seen + 1)
        token = applied.get("token") or None
        if reason is None:
            check(token == f"swiotlb=0x{base:x},{size}", f"{base:#x} {size}: token {token}")
            continue
        check(token is None, f"{base:#x} {size}: token {token}")
        event = host.wait_for_event("SwiotlbPoolRejected", vm, rejected + 1)
        check(event["reason"] == reason, f"{base:#x} {size}: {event['reason']}, not {reason}")


def case_default_pool_of_a_stock_kernel_is_a_pool(host, vm):
    """Bit 7, with or without bit 8; the parameter that it does not know is no trouble then."""
    for features in (0xEB, 0x1EB, 0x8B):
        facts = {"features": features, "swiotlb_base": 0x14000000, "swiotlb_size": 64 << 20,
                 "kernel_release": f"6.1.0-stock-{features:x}"}  # fmt: skip
        seen = len(host.events("ApplyGuestCapabilities", vm))
        with Guest(host.path(vm), facts=facts) as guest:
            check_welcome(guest.greet())
            check_ping(guest)
        applied = host.wait_for_event("ApplyGuestCapabilities", vm, seen + 1)
        check(applied["token"] == TOKEN, f"{features:#x}: {applied}")
        check(applied["SwiotlbKind"] == "default", f"{features:#x}: {applied}")
    for name in ("SwiotlbKernelUnsupported", "SwiotlbPoolRejected"):
        check(not host.events(name, vm), f"{host.events(name, vm)}")


def case_missing_pool_is_warned_of_once_a_release(host, vm):
    for features in (0x0F, 0x6F, 0x2F):  # not asked for; kernel too old; allocation failed
        before = len(host.events("SwiotlbKernelUnsupported", vm))
        for _ in range(2):
            facts = {"features": features, "kernel_release": f"6.1.{features}"}
            with Guest(host.path(vm), facts=facts) as guest:
                check_welcome(guest.greet())
                check_ping(guest)
        host.wait_for_event("SwiotlbKernelUnsupported", vm, before + 1)
        check(len(host.events("SwiotlbKernelUnsupported", vm)) == before + 1, "warned twice")
    reasons = {event["reason"] for event in host.events("SwiotlbKernelUnsupported", vm)}
    check(len(reasons) == 3, f"reasons {reasons}")


def case_boot_is_remembered_by_a_daemon_that_was_started_again(host, vm):
    boot = os.urandom(16)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        check_ping(guest)
    status = host.stop()
    check(status == 0, f"SIGTERM ended the daemon with {status}")
    host.start()
    with Guest(host.path(vm), boot, {"cpu_count": 64}) as guest:
        check_welcome(guest.greet(), 3)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())


def case_times_of_a_boot_outlive_the_daemon(host, vm):
    told = []
    boot = os.urandom(16)
    for count in (1, 2):
        with Guest(host.path(vm), boot) as guest:
            check_welcome(guest.greet())
            guest.serve_until(g.COMPLETE_BOOT)
            told.append(host.wait_for_event("GuestReady", vm, count))
        host.stop()
        host.start()
    check([event["again"] for event in told] == [False, True], f"{told}")
    times = [key for key in told[0] if key.endswith(("_ns", "_ms", "_us"))]
    check(len(times) == 16 and told[0]["ready_ns"] and told[0]["host_accepted_us"], f"{told}")
    check(all(told[0][key] == told[1][key] for key in times), f"{told}")


def case_warning_is_remembered_by_a_daemon_that_was_started_again(host, vm):
    facts = {"features": 0x6B, "kernel_release": "6.1.0-old"}
    for _ in range(2):
        with Guest(host.path(vm), facts=facts) as guest:
            check_welcome(guest.greet())
            check_ping(guest)
        host.wait_for_event("SwiotlbKernelUnsupported", vm)
        host.stop()
        host.start()
    told = len(host.events("SwiotlbKernelUnsupported", vm))
    check(told == 1, f"told {told} times")


def case_damaged_state_is_set_aside(host, vm):
    """Cut at many places, and other bytes: never trusted, never fatal."""
    document = host.folder / "state" / "vms" / (host.vms[vm]["id"] + ".json")
    boot = os.urandom(16)
    with Guest(host.path(vm), boot) as guest:
        check_welcome(guest.greet())
        guest.serve_until(g.COMPLETE_BOOT)
        host.wait_for_event("GuestReady", vm)
    check(host.stop() == 0, "the daemon did not end well")
    sound = document.read_bytes()
    damaged = [sound[: len(sound) * i // 8] for i in range(8)] + [
        b"\0" * 100, b"[]", b"null", b'{"capabilities": 5, "shares": {}}', b"\xff" * 4096,
        b"[" * 100000, sound.replace(b"b0000000", b"b000zz00"), sound + sound]  # fmt: skip
    for content in damaged:
        document.write_bytes(content)
        host.start()
        with Guest(host.path(vm), boot) as guest:
            check_welcome(guest.greet())
            check_ping(guest)
        check(host.stop() == 0, f"the daemon did not end well after {content[:20]!r}")
    host.start()
