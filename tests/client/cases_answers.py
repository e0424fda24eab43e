"""What each method of the control socket answers: the values, and what it says of one that is wrong."""

import base64
import json

import guestlink_guest as g
from cases_control import Call, booted, take
from cases_wire import check, check_ping
from host import connect, wait_until

VMS = {"command_line_is_that_of_the_vm": {"swiotlb": "64M"}}
TERMINAL = 1 << 9
MOST = 64  # connections at a time


def failed(host, method, error, words="", **parameters):
    """A call that fails. @return what the error says"""
    with Call(host, method, more=method == "Exec", **parameters) as call:
        name, told = call.failure()
        check(name == error and words in str(told.get("reason", "")), f"{method} {parameters}: {name} {told}")
        return told


def result(host, method, **parameters):
    with Call(host, method, **parameters) as call:
        return call.result()


def started(host, vm, guest, **parameters):
    """A command that runs: its call, the client's number and the guest's."""
    call = Call(host, "Exec", more=True, vm=vm, argv=["cat"], **parameters)
    frame = take(guest, g.START_PROCESS)
    guest.answer(frame)
    return call, call.result()["process"], frame.fields()["process"]


def exited(guest, process, status=0, sig=0):
    guest.receive_answer(guest.send(g.CHILD_EXITED, {
        "process": process, "role": 1, "status": status, "signal": sig, "pid": 9,
        "again_ms": g.NOT_AGAIN}))  # fmt: skip


def write(host, process, data):
    return Call(host, "WriteInput", process=process, data=base64.b64encode(data).decode())


def case_vm_is_found_by_its_name_and_its_uuid(host, vm):
    uuid = host.vms[vm]["id"]
    for name in (vm, uuid, uuid.upper()):
        told = result(host, "Show", vm=name)["vm"]
        check((told["name"], told["id"]) == (vm, uuid), f"{name}: {told}")
    for name in ("nobody", uuid[:-1], uuid + "0", ""):
        check(failed(host, "Show", "NoSuchVm", vm=name) == {"vm": name}, f"{name} was found")
    for method, more in (("Capabilities", {}), ("CommandLine", {}), ("PoolUsage", {}), ("ShutDown", {}),
                         ("RemoveShare", {"tag": "t"}), ("Exec", {"argv": ["true"]})):  # fmt: skip
        failed(host, method, "NoSuchVm", vm="nobody", **more)


def case_files_are_those_of_the_configuration(host, _vm):
    check(result(host, "Files") == {"configuration": str(host.folder / "config.json"),
                                    "telemetry": str(host.telemetry_file),
                                    "state_dir": str(host.folder / "state")}, "other files")  # fmt: skip


def case_command_line_is_that_of_the_vm(host, vm):
    words = result(host, "CommandLine", vm=vm)["command_line"].split()
    check(words[0].startswith("guestlink.host=") and words[1] == "swiotlb=32768,force" and
          words[-1:] == ["hv_pci_swiotlb=67108864"], f"{words}")
    words = result(host, "CommandLine", vm="one")["command_line"].split()
    check(len(words) == 1 and words[0].startswith("guestlink.host="), f"{words}")


def case_reload_answers_with_its_warnings(host, _vm):
    file = host.write_config()
    usual = result(host, "Reload")["remarks"]  # of other cases' VMs
    check(not any("much" in remark for remark in usual), f"{usual}")
    config = json.loads(file.read_text(encoding="utf-8"))
    for one in config["vms"][:2]:
        one["swiotlb"] = "much"
    try:
        file.write_text(json.dumps(config), encoding="utf-8")
        remarks = result(host, "Reload")["remarks"]
        check(len(remarks) == len(usual) + 2 and sum("much" in remark for remark in remarks) == 2,
              f"{remarks}")
    finally:
        host.write_config()
        check(result(host, "Reload") == {"remarks": usual}, "a remark that stays")


def case_capabilities_need_a_guest_that_tells_them(host, vm):
    for refresh in (False, True):
        check(failed(host, "Capabilities", "NotConnected", vm=vm, refresh=refresh) == {"vm": vm}, "who?")
    with booted(host, vm) as guest:
        for text, said in (("no luck", "no luck"), ("", "Input/output error")):
            with Call(host, "Capabilities", vm=vm, refresh=True) as call:
                guest.answer(take(guest, g.GET_CAPABILITIES), 5, text)
                name, told = call.failure()
                check(name == "Failed" and told["errno"] == 5 and said in told["reason"], f"{told}")
        with Call(host, "PoolUsage", vm=vm) as call:
            guest.answer(take(guest, g.GET_POOL_USAGE), 2, "no statistics")
            told = call.failure()[1]
            check(told == {"errno": 2, "reason": "no statistics"}, f"{told}")
        check_ping(guest)


def case_end_of_a_command_is_told_as_it_was(host, vm):
    with booted(host, vm) as guest:
        for status, sig, wanted in ((0, 0, {"status": 0}), (137, 9, {"status": 137, "signal": 9}),
                                    (7, 0, {"status": 7})):  # fmt: skip
            call, _, process = started(host, vm, guest)
            with call:
                exited(guest, process, status, sig)
                told = call.result()
                check(told == wanted, f"{told}, not {wanted}")
        for text, wanted in (("no such program", "no such program"), ("", "No such file or directory")):
            with Call(host, "Exec", more=True, vm=vm, argv=["nothing"]) as call:
                guest.answer(take(guest, g.START_PROCESS), 2, text)
                told = call.result()
                check(told == {"status": 127, "error": wanted}, f"{told}")
        check_ping(guest)


def case_each_of_two_commands_has_what_is_its_own(host, vm):
    with booted(host, vm) as guest:
        commands = [started(host, vm, guest, input=True) for _ in range(2)]
        check(len({process for _, process, _ in commands}) == 2, "one number for two")
        for call, process, inside in commands:
            with Call(host, "SendSignal", process=process, signal=10) as other:
                frame = take(guest, g.SEND_SIGNAL)
                check(frame.fields() == {"process": inside, "signal": 10}, f"{frame.fields()}")
                guest.answer(frame)
                check(other.result() == {}, "more than an answer")
            with write(host, process, b"to %d" % process) as other:
                frame = take(guest, g.PROCESS_INPUT)
                check(frame.fields() == {"process": inside, "data": b"to %d" % process}, f"{frame.fields()}")
                guest.answer(frame)
                check(other.result() == {}, "more than an answer")
            for stream in (1, 2):
                guest.send(g.PROCESS_OUTPUT, {"process": inside, "stream": stream,
                                              "data": b"of %d" % process}, ident=0)  # fmt: skip
                told = call.result()
                check(told == {"stream": ("stdout", "stderr")[stream - 1],
                               "data": base64.b64encode(b"of %d" % process).decode()}, f"{told}")
        (first, number, inside), (other, second, last) = commands
        exited(guest, inside, 1)
        check(first.result() == {"status": 1}, "the first's end")
        check(failed(host, "SendSignal", "NoSuchProcess", process=number, signal=9) == {"process": number},
              "the first is there")
        with Call(host, "SendSignal", process=second, signal=12) as call:
            guest.answer(take(guest, g.SEND_SIGNAL))
            call.result()
        exited(guest, last, 2)
        check(other.result() == {"status": 2}, "the second's end")
        for call in (first, other):
            call.connection.close()
        check_ping(guest)


def case_command_whose_client_leaves_is_hung_up(host, vm):
    with booted(host, vm) as guest:
        call, process, inside = started(host, vm, guest)
        call.connection.close()
        frame = take(guest, g.SEND_SIGNAL)
        check(frame.fields() == {"process": inside, "signal": 1}, f"{frame.fields()}")
        guest.answer(frame)
        failed(host, "SendSignal", "NoSuchProcess", process=process, signal=9)
        check_ping(guest)


def case_input_that_waits_goes_in_order_or_ends_with_its_command(host, vm):
    with booted(host, vm) as guest:
        call, process, inside = started(host, vm, guest, input=True)
        with call:
            writes = [write(host, process, bytes([65 + i]) * 16384) for i in range(4)]
            for one in writes:
                one.result()
            late = write(host, process, b"late")
            result(host, "List")  # it has been read
            last = write(host, process, b"last")
            taken = b""
            while not taken.endswith(b"last"):
                frame = take(guest, g.PROCESS_INPUT)
                taken += frame.fields()["data"]
                guest.answer(frame)
            check(taken[4 * 16384:] == b"latelast", f"{taken[4 * 16384:]}")
            for one in (late, last):
                check(one.result() == {}, "more than an answer")
            writes += [write(host, process, bytes(16384)) for _ in range(4)]
            for one in writes[4:]:
                one.result()
            waits = [write(host, process, b"x") for _ in range(3)]
            result(host, "List")
            exited(guest, inside)
            for one in waits:
                name, told = one.failure()
                check((name, told) == ("NoSuchProcess", {"process": process}), f"{name} {told}")
            check(call.result() == {"status": 0}, "another end")
        for one in (*writes, *waits, late, last):
            one.connection.close()
        check_ping(guest)


def case_terminal_has_the_size_that_was_asked_for(host, vm):
    with booted(host, vm) as guest:
        told = failed(host, "Exec", "Failed", "older than 0.2", vm=vm, argv=["sh"], terminal=True)
        check(told["errno"] == 95, f"{told}")
        check_ping(guest)
    with booted(host, vm, {"features": TERMINAL}) as guest:
        with Call(host, "Exec", more=True, vm=vm, argv=["sh"], terminal=True, rows=24, columns=80) as call:
            frame = take(guest, g.START_PROCESS)
            fields = frame.fields()
            check((fields["rows"], fields["columns"]) == (24, 80), f"{fields}")
            guest.answer(frame)
            process = call.result()["process"]
            with Call(host, "ResizeTerminal", process=process, rows=30, columns=65535) as other:
                frame = take(guest, g.RESIZE_TERMINAL)
                check(frame.fields() == {"process": fields["process"], "rows": 30, "columns": 65535},
                      f"{frame.fields()}")
                guest.answer(frame)
                check(other.result() == {}, "more than an answer")
            for key in ("rows", "columns"):
                size = {"rows": 1, "columns": 1, key: 65536}
                check(failed(host, "ResizeTerminal", "InvalidParameter", process=process, **size) ==
                      {"parameter": key}, key)
        take(guest, g.SEND_SIGNAL)
        check_ping(guest)


def case_share_is_taken_as_the_file_would_take_it(host, vm):
    good = {"vm": vm, "tag": "t", "path": "/tmp", "target": "/mnt/t"}
    for key, value in (("tag", ""), ("tag", "x" * 37), ("path", "tmp"), ("target", "mnt"), ("target", "/"),
                       ("transport", "nfs"), ("transport", "")):  # fmt: skip
        reason = failed(host, "AddShare", "Refused", **{**good, key: value})["reason"]
        check(reason.startswith(f'{key}: "{value}", expected ') and reason.endswith("; not adding the share"),
              reason)
    check("auto, virtiofs or 9p" in failed(host, "AddShare", "Refused", **good, transport="NFS")["reason"], "which?")
    check(result(host, "Show", vm=vm)["vm"]["shares"] == [], "one was added")
    told = failed(host, "RemoveShare", "Failed", vm=vm, tag="t")
    check(told["errno"] == 2 and told["reason"].startswith('no share has the tag "t"'), f"{told}")
    with booted(host, vm) as guest:
        with Call(host, "AddShare", **good, read_only=True, transport="virtiofs") as call:
            frame = take(guest, g.MOUNT)
            check(frame.fields()["flags"] == 1 and frame.fields()["tag"] == "t", f"{frame.fields()}")
            told = failed(host, "RemoveShare", "Failed", vm=vm, tag="t")
            check(told["errno"] == 16 and "is being added or removed" in told["reason"], f"{told}")
            guest.answer(frame)
            check(call.result() == {"remark": ""}, "a remark on nothing")
        told = result(host, "Show", vm=vm)["vm"]["shares"]
        check([(one["tag"], one["path"], one["target"], one["read_only"], one["transport"], one["configured"])
               for one in told] == [("t", "/tmp", "/mnt/t", True, "virtiofs", False)], f"{told}")  # fmt: skip
        for key, value, error, words in (("target", "/mnt/u", 17, 'the tag "t"'),
                                         ("tag", "u", 16, 'the target "/mnt/t"')):  # fmt: skip
            told = failed(host, "AddShare", "Failed", **{**good, key: value})
            check(told["errno"] == error and told["reason"].startswith(words), f"{told}")
        with Call(host, "RemoveShare", vm=vm, tag="t") as call:
            guest.answer(take(guest, g.UNMOUNT))
            check(call.result() == {"remark": ""}, "a remark on nothing")
        with Call(host, "AddShare", **good) as call:
            frame = take(guest, g.MOUNT)
            check(frame.fields()["flags"] == 0, f"{frame.fields()}")
            guest.answer(frame, 22, "no such tag")
            told = call.failure()[1]
            check("no such tag" in told["reason"], f"{told}")
        check_ping(guest)


def case_share_of_a_vm_that_is_off_waits_for_its_guest(host, vm):
    with Call(host, "AddShare", vm=vm, tag="early", path="/tmp", target="/mnt/early") as call:
        check("will mount the share when it connects" in call.result()["remark"], "no remark")
    check([one["tag"] for one in result(host, "Show", vm=vm)["vm"]["shares"]] == ["early"], "not there")
    result(host, "RemoveShare", vm=vm, tag="early")


def case_shut_down_is_asked_as_it_was_called(host, vm):
    for key, value in (("grace_ms", 3600001), ("grace_ms", -1)):
        check(failed(host, "ShutDown", "InvalidParameter", vm=vm, **{key: value}) == {"parameter": key}, key)
    check(failed(host, "ShutDown", "NotConnected", vm=vm) == {"vm": vm}, "who?")
    with booted(host, vm) as guest:
        for parameters, how, grace in (({"grace_ms": 3600000}, 0, 3600000), ({"reboot": True, "grace_ms": 1}, 1, 1),
                                       ({"reboot": False, "grace_ms": 2}, 0, 2)):  # fmt: skip
            with Call(host, "ShutDown", vm=vm, **parameters) as call:
                frame = take(guest, g.SHUT_DOWN)
                fields = frame.fields()
                check((fields["how"], fields["grace_ms"]) == (how, grace), f"{parameters}: {fields}")
                guest.answer(frame, 16, "not now")
                told = call.failure()[1]
                check(told == {"errno": 16, "reason": "not now"}, f"{told}")
        check_ping(guest)


def case_control_socket_has_a_bound(host, _vm):
    """Who comes when it is full is closed and told in the log; who is there is served."""
    path = str(host.folder / "control.sock")
    call = b'{"method":"io.guestlink.Files"}\0'
    socks = [connect(path) for _ in range(MOST)]
    for sock in socks:
        sock.sendall(call)
        check(sock.recv(65536).endswith(b"\0"), "no answer")
    with connect(path) as sock:
        check(sock.recv(1) == b"", "there is room for another one")
    wait_until("a word in the log", lambda: f"control socket: {MOST} are open" in host.stderr())
    socks[0].sendall(call)
    check(socks[0].recv(65536).endswith(b"\0"), "no answer any more")
    for sock in socks:
        sock.close()
    wait_until("room", lambda: is_served(path, call))


def is_served(path, call):
    with connect(path) as sock:
        try:
            sock.sendall(call)
            return sock.recv(65536).endswith(b"\0")
        except (BrokenPipeError, ConnectionResetError):
            return False
