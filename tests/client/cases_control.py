"""What an operator asks of the host becomes frames to the guest, and its answers come back."""

import base64
import json
import os

import guestlink_guest as g
from cases_wire import check, check_ping, check_welcome
from guestlink_guest import Guest
from host import connect, wait_until

VMS = {
    "pool_usage_is_told_in_bytes": {"swiotlb": "64M"},
}


class Call:
    """One Varlink call on the control socket, under way: the guest is to be served meanwhile."""

    def __init__(self, host, method, more=False, upgrade=False, **parameters):
        self.connection = connect(str(host.folder / "control.sock"))
        self.data = b""
        call = {"method": "io.guestlink." + method, "parameters": parameters}
        if more:
            call["more"] = True
        if upgrade:
            call["upgrade"] = True
        self.connection.sendall(json.dumps(call).encode() + b"\0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def reply(self):
        """The next reply as (error or None, parameters)."""
        while b"\0" not in self.data:
            data = self.connection.recv(65536)
            check(data, "the control socket was closed")
            self.data += data
        message, _, self.data = self.data.partition(b"\0")
        reply = json.loads(message)
        return reply.get("error"), reply.get("parameters", {})

    def result(self):
        error, parameters = self.reply()
        check(error is None, f"{error}: {parameters}")
        return parameters

    def failure(self):
        """(name of the error behind io.guestlink., parameters)"""
        error, parameters = self.reply()
        check(error, f"succeeded with {parameters}")
        return error.rpartition(".")[2], parameters


def booted(host, vm, facts=None):
    guest = Guest(host.path(vm), facts=facts)
    check_welcome(guest.greet())
    guest.serve_until(g.COMPLETE_BOOT)
    check_ping(guest)
    return guest


def take(guest, message_type):
    """The next request of that type, not answered yet; the others are served."""
    while True:
        frame = guest.receive()
        if frame.type == message_type:
            return frame
        guest.serve(frame)


def case_capabilities_are_asked_again(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "Capabilities", vm=vm, refresh=True) as call:
            guest.serve(take(guest, g.GET_CAPABILITIES))
            check(call.result()["capabilities"]["cpu_count"] == 2, "cpu_count")
        with Call(host, "Capabilities", vm=vm, refresh=True) as call:
            frame = take(guest, g.GET_CAPABILITIES)
            other = {**guest.facts, "swiotlb_base": 4096, "swiotlb_size": 4096, "cpu_count": 3}
            guest.send(g.CAPABILITIES, other, ident=frame.id, flags=g.ANSWER)
            name, parameters = call.failure()
            check(name == "Failed", f"{name} {parameters}")
        with Call(host, "Capabilities", vm=vm) as call:  # the first report stays
            check(call.result()["capabilities"]["cpu_count"] == 2, "cpu_count changed")
        check_ping(guest)


def case_pool_usage_is_told_in_bytes(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "PoolUsage", vm=vm) as call:
            frame = take(guest, g.GET_POOL_USAGE)
            pools = [{"total": 100, "used": 3, "high_water": 7, "name": "hv_pci"},
                     {"total": 2**63, "used": 2**64 - 1, "high_water": 0, "name": "huge"}]
            guest.send(g.POOL_USAGE, {"slot_bytes": 2048, "pools": pools}, ident=frame.id,
                       flags=g.ANSWER)  # fmt: skip
            told = call.result()["pools"]
            check(told[0] == {"name": "hv_pci", "total_bytes": 204800, "used_bytes": 6144,
                              "high_water_bytes": 14336}, f"{told}")  # fmt: skip
            memory = 512 << 20  # as much as the VM has, and no more of it used
            check(told[1] == {"name": "huge", "total_bytes": memory, "used_bytes": memory,
                              "high_water_bytes": 0}, f"{told}")  # fmt: skip
        with Call(host, "PoolUsage", vm=vm) as call:
            guest.answer(take(guest, g.GET_POOL_USAGE), g.ENOENT, "not kept")
            name, parameters = call.failure()
            check((name, parameters["errno"]) == ("Failed", 2), f"{name} {parameters}")
        check_ping(guest)


def case_answer_of_another_kind_fails_its_request_alone(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "PoolUsage", vm=vm) as call:
            frame = take(guest, g.GET_POOL_USAGE)
            guest.send(g.CAPABILITIES, guest.facts, ident=frame.id, flags=g.ANSWER)
            check(call.failure()[0] == "Failed", "an answer of another kind was taken")
        check_ping(guest)


def case_malformed_answer_ends_the_connection(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "PoolUsage", vm=vm) as call:
            frame = take(guest, g.GET_POOL_USAGE)
            guest.send(g.RESULT, ident=frame.id, flags=g.ANSWER, payload=b"\x07" + bytes(11))
            check(call.failure()[0] in ("Failed", "NotConnected"), "a malformed answer was taken")
        check(guest.is_closed(), "a malformed answer did not end the connection")
    host.wait_for_event("ProtocolError", vm)


def case_request_whose_guest_goes_away_fails(host, vm):
    guest = booted(host, vm)
    with Call(host, "PoolUsage", vm=vm) as call:
        take(guest, g.GET_POOL_USAGE)
        guest.close()
        check(call.failure()[0] in ("Failed", "NotConnected"), "answered without a guest")
    with Call(host, "PoolUsage", vm=vm) as call:
        check(call.failure()[0] == "NotConnected", "asked without a guest")


def case_command_runs_with_output_and_status(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "Exec", more=True, vm=vm, argv=["cat", "/x y"], environment=["A=b"],
                  directory="/srv", uid=1000, gid=100) as call:  # fmt: skip
            frame = take(guest, g.START_PROCESS)
            fields = frame.fields()
            check(fields["argv"] == ["cat", "/x y"] and fields["environment"] == ["A=b"], f"{fields}")
            check((fields["uid"], fields["gid"], fields["role"]) == (1000, 100, 1), f"{fields}")
            check(fields["directory"] == "/srv" and fields["flags"] == 1, f"{fields}")
            guest.answer(frame)
            check(call.result()["process"] is not None, "no process")
            number = fields["process"]
            every = bytes(range(256)) * 64
            for stream, data in ((1, every), (2, b"oops\n"), (1, b""), (2, b"")):
                guest.send(g.PROCESS_OUTPUT, {"process": number, "stream": stream, "data": data},
                           ident=0)  # fmt: skip
            exited = {"process": number, "role": 1, "status": 3, "pid": 9, "again_ms": g.NOT_AGAIN}
            guest.receive_answer(guest.send(g.CHILD_EXITED, exited))
            told = {"stdout": b"", "stderr": b""}
            while True:
                reply = call.result()
                if reply.get("stream"):
                    told[reply["stream"]] += base64.b64decode(reply["data"])
                if reply.get("status") is not None:
                    break
            check(told == {"stdout": every, "stderr": b"oops\n"}, "other output")
            check(reply["status"] == 3, f"{reply}")
        check_ping(guest)


def case_command_that_ends_while_nobody_reads_it_holds_nothing_up(host, vm):
    """A guest whose output is not read is held back; when that command has ended, no longer."""
    with booted(host, vm) as guest:
        with Call(host, "Exec", more=True, vm=vm, argv=["seq", "1000000"]) as call:
            frame = take(guest, g.START_PROCESS)
            guest.answer(frame)
            number = frame.fields()["process"]
            output = {"process": number, "stream": 1, "data": bytes(4096)}
            for _ in range(70):  # more than the call's socket and the daemon hold
                guest.send(g.PROCESS_OUTPUT, output, ident=0)
            exited = {"process": number, "role": 1, "status": 0, "pid": 9, "again_ms": g.NOT_AGAIN}
            guest.receive_answer(guest.send(g.CHILD_EXITED, exited))
            check_ping(guest)
            size = 0
            while (reply := call.result()).get("status") is None:
                size += len(base64.b64decode(reply.get("data") or ""))
            check(size == 70 * 4096, f"{size} bytes of output")


def case_command_that_cannot_start_has_the_shells_status(host, vm):
    with booted(host, vm) as guest:
        for error, status in ((2, 127), (20, 127), (13, 126), (8, 126), (12, 125), (22, 125)):
            with Call(host, "Exec", more=True, vm=vm, argv=["nothing"]) as call:
                guest.answer(take(guest, g.START_PROCESS), error, "no")
                reply = call.result()
                check(reply.get("status") == status, f"errno {error}: {reply}")
        check_ping(guest)


def case_input_waits_for_a_process_that_reads_slowly(host, vm):
    """The answer says that it was taken: until then nothing more comes, then all of it in order."""
    with booted(host, vm) as guest:
        with Call(host, "Exec", more=True, vm=vm, argv=["cat"], input=True) as call:
            frame = take(guest, g.START_PROCESS)
            guest.answer(frame)
            process = call.result()["process"]
            chunks = [b"first", b"x" * 16384, b"third"]
            for text in (*chunks, b""):
                data = base64.b64encode(text).decode()
                with Call(host, "WriteInput", process=process, data=data) as write:
                    write.result()
            taken, ended = b"", False
            while not ended:
                frame = take(guest, g.PROCESS_INPUT)
                check(frame.id != 0, "PROCESS_INPUT has no id: who is told that it was taken?")
                data = frame.fields()["data"]
                check(len(data) <= 16384, f"{len(data)} bytes in one PROCESS_INPUT")
                check_ping(guest)  # its answer is the next frame: no second PROCESS_INPUT
                guest.answer(frame)
                taken, ended = taken + data, not data
            check(taken == b"".join(chunks), f"{len(taken)} bytes were taken, or others")
            with Call(host, "WriteInput", process=process, data="YQ==") as write:
                check(write.failure()[0] == "Failed", "input behind its end was taken")
        check_ping(guest)


def case_input_that_nobody_takes_is_bounded_and_ends(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "Exec", more=True, vm=vm, argv=["sleep"], input=True) as call:
            guest.answer(take(guest, g.START_PROCESS))
            process = call.result()["process"]
            data = base64.b64encode(bytes(16384)).decode()
            writes = [Call(host, "WriteInput", process=process, data=data) for _ in range(4)]
            for write in writes:
                write.result()
            late = Call(host, "WriteInput", process=process, data=data)
            guest.answer(take(guest, g.PROCESS_INPUT), 32, "its input is closed")
            check(late.failure()[0] == "Failed", "taken without a reader")
            for write in (*writes, late):
                write.connection.close()
        check_ping(guest)


def case_calls_for_commands_are_checked(host, vm):
    def fails(method, error, part="", **more):
        with Call(host, method, **more) as call:
            name, parameters = call.failure()
            check(name == error and part in str(parameters), f"{method} {more}: {name} {parameters}")

    with booted(host, vm) as guest:
        fails("WriteInput", "NoSuchProcess", "12345", process=12345, data="YQ==")
        fails("SendSignal", "NoSuchProcess", "12345", process=12345, signal=15)
        fails("ResizeTerminal", "NoSuchProcess", "12345", process=12345, rows=2, columns=3)
        with Call(host, "Exec", more=True, vm=vm, argv=["cat"], input=True) as call:
            guest.answer(take(guest, g.START_PROCESS))
            process = call.result()["process"]
            too_much = base64.b64encode(bytes(16385)).decode()
            for data in ("*", "YQ=", "YQ==YQ==", "Y Q=", too_much):
                fails("WriteInput", "InvalidParameter", "data", process=process, data=data)
            fails("WriteInput", "InvalidParameter", "data", process=process)
            fails("WriteInput", "InvalidParameter", "process", process="x", data="YQ==")
            fails("SendSignal", "InvalidParameter", "signal", process=process, signal=65)
            fails("SendSignal", "InvalidParameter", "process", process=-1, signal=15)
            fails("ResizeTerminal", "Failed", "without one", process=process, rows=2, columns=3)
            with Call(host, "SendSignal", process=process, signal=64) as other:
                frame = take(guest, g.SEND_SIGNAL)
                check(frame.fields() == {"process": frame.fields()["process"], "signal": 64}, "64")
                guest.answer(frame)
                other.result()
        check_ping(guest)


def case_call_whose_client_leaves_disturbs_nobody(host, vm):
    """The answer that it waited for comes all the same."""
    share = {"vm": vm, "tag": "left", "path": "/tmp", "target": "/mnt/left"}
    calls = [("Capabilities", g.GET_CAPABILITIES, {"vm": vm, "refresh": True}),
             ("AddShare", g.MOUNT, share), ("RemoveShare", g.UNMOUNT, {"vm": vm, "tag": "left"}),
             ("Exec", g.START_PROCESS, {"vm": vm, "argv": ["true"]})]  # fmt: skip
    with booted(host, vm) as guest:
        for method, kind, parameters in calls:
            with Call(host, method, more=method == "Exec", **parameters):
                frame = take(guest, kind)
            with Call(host, "List") as other:  # its end has been noticed
                other.result()
            guest.serve(frame)
            check_ping(guest)
        with Call(host, "Capabilities", vm=vm, refresh=True) as call:
            guest.serve(take(guest, g.GET_CAPABILITIES))
            call.result()
        check_ping(guest)


def case_share_is_added_and_removed(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "AddShare", vm=vm, tag="late", path="/tmp", target="/mnt/late") as call:
            frame = take(guest, g.MOUNT)
            check(frame.fields()["target"] == "/mnt/late", f"{frame.fields()}")
            guest.answer(frame)
            call.result()
        for tag, target in (("late", "/mnt/other"), ("other", "/mnt/late")):
            with Call(host, "AddShare", vm=vm, tag=tag, path="/tmp", target=target) as call:
                check("already used" in call.failure()[1]["reason"], f"{tag} on {target} was taken twice")
        with Call(host, "RemoveShare", vm=vm, tag="late") as call:
            frame = take(guest, g.UNMOUNT)
            check(frame.fields()["target"] == "/mnt/late", f"{frame.fields()}")
            guest.answer(frame)
            call.result()
        with Call(host, "AddShare", vm=vm, tag="no", path="/tmp", target="/mnt/no") as call:
            guest.answer(take(guest, g.MOUNT), 22, "no such tag")
            check(call.failure()[0] == "Failed", "a mount that failed was told as a success")
        check_ping(guest)


def case_shut_down_ends_with_the_farewell(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "ShutDown", vm=vm, reboot=True, grace_ms=1234) as call:
            frame = take(guest, g.SHUT_DOWN)
            fields = frame.fields()
            check((fields["how"], fields["grace_ms"]) == (1, 1234), f"{fields}")
            guest.answer(frame)
            answer = guest.receive_answer(guest.send(g.FAREWELL, {"how": 1}))
            check(answer.fields()["error"] == 0, "FAREWELL was not acknowledged")
            guest.close()
            call.result()
    with Guest(host.path(vm), os.urandom(16)) as guest:  # the next boot
        check_welcome(guest.greet())


def reload(host):
    host.write_config()
    with Call(host, "Reload") as call:
        call.result()


def refused(host, *changes):
    """@return why the file is refused in which those are changed: (VM, key, value)"""
    file = host.write_config()
    config = json.loads(file.read_text(encoding="utf-8"))
    for vm, key, value in changes:
        next(one for one in config["vms"] if one["name"] == vm)[key] = value
    try:
        file.write_text(json.dumps(config, indent=1), encoding="utf-8")
        with Call(host, "Reload") as call:
            name, parameters = call.failure()
        check(name == "Refused", f"{name}")
        return parameters["reason"]
    finally:
        host.write_config()


def case_refused_reload_names_the_error_and_not_a_warning(host, vm):
    """A swiotlb that is no size is warned of, and stands in front of the error."""
    warning = ("one", "swiotlb", "much")
    wrong = (vm, "cid", 2)
    kept = "; keeping the previous configuration"
    reason = refused(host, warning, wrong)
    check("cid: 2, expected" in reason and reason.endswith(kept), reason)
    check("more" not in reason and "much" not in reason, reason)
    before = counters(host)["reloads_refused"]
    reason = refused(host, warning, wrong, (vm, "memory", "none"))
    check(f"{kept}; 1 more error: see the daemon's log" in reason, reason)
    check("2 more errors" in refused(host, wrong, (vm, "memory", "none"), ("two", "memory", 0)), "two")
    check(counters(host)["reloads_refused"] == before + 2, "reloads_refused")
    wait_until("the others in the log", lambda: 'memory: "none", expected' in host.stderr())
    (host.folder / "config.json").rename(host.folder / "moved.json")
    try:
        with Call(host, "Reload") as call:
            reason = call.failure()[1]["reason"]
    finally:
        host.write_config()
    check("config.json" in reason and "No such file" in reason and reason.endswith(kept), reason)


def counters(host):
    with Call(host, "Metrics") as call:
        return call.result()["counters"]


def case_counters_count_what_happens(host, vm):
    before = counters(host)
    check(sorted(before) == sorted((
        "vms", "open", "connections", "accepted", "malformed", "timed_out", "frames_in", "frames_out", "bytes_in",
        "bytes_out", "boots", "slow_guests", "reloads", "reloads_refused", "telemetry_lost")), f"{before}")
    check(before["vms"] == len(host.vms), f"{before}")
    with booted(host, vm):
        now = counters(host)
        for name in ("connections", "accepted", "frames_in", "frames_out", "bytes_in", "bytes_out", "boots"):
            check(now[name] > before[name], f"{name}: {before[name]}, then {now[name]}")
        check(now["open"] >= 1, f"{now}")
    with connect(host.path(vm)) as stranger:
        stranger.sendall(b"HTTP")
        wait_until("malformed", lambda: counters(host)["malformed"] > now["malformed"])
    reload(host)
    check(counters(host)["reloads"] > now["reloads"], "reloads")


def case_every_vm_may_become_another_machine_in_one_reload(host, vm):
    before = host.vms
    guest = Guest(host.path(vm))
    check_welcome(guest.greet())
    host.vms = {name: {**before[name], "socket": before[name]["socket"] + "_moved"}
                for name in reversed(before)}
    reload(host)
    try:
        check(guest.is_closed(), "a guest of a machine that is gone is still served")
        for name in (vm, "one", "two"):
            with Guest(host.vms[name]["socket"]) as moved:
                check_welcome(moved.greet(), name=name)
        check(not os.path.exists(host.path(vm)), "the old socket is still there")
    finally:
        host.vms = before
        reload(host)
    with Guest(host.path(vm)) as guest:
        check_welcome(guest.greet(), name=vm)


def case_reload_takes_another_telemetry_file(host, vm):
    usual = host.telemetry_file
    check("telemetry file" not in host.stderr(), "a telemetry file that works is warned of")
    host.telemetry_file = host.folder / "telemetry-other.jsonl"
    try:
        host.write_config()
        with Call(host, "Reload") as call:
            call.result()
        booted(host, vm).close()
        wait_until("events in the new file", lambda: vm in host.telemetry_file.read_text())
        check(vm not in usual.read_text(), "the old file is written, too")
    finally:
        host.telemetry_file = usual
        host.write_config()
        with Call(host, "Reload") as call:
            call.result()
