"""Every parameter of every method of the control socket is checked, and an answer has all its fields.

The methods come from the interface's own description, so that a new one is tried without a word here."""

import json
import re

import guestlink_guest as g
from cases_control import Call, booted, take
from cases_wire import check, check_ping
from host import connect

VMS = {
    "capabilities_have_pool_and_token": {"swiotlb": "64M"},
    "answers_are_what_is_described": {
        "swiotlb": "64M",
        "shares": [{"tag": "t", "path": "/tmp", "target": "/mnt/t"}],
        "network": [{"id": "eth0", "mac": "52:54:00:12:34:56", "address": ["10.0.2.15/24"]}],
        "payload": ["/bin/true"],
    },
}

# A value of each type of the interface description; of text and numbers, one that is well-formed.
GOOD = {"string": "x", "bool": False, "int": 1, "[]string": ["x"]}
WRONG = {
    "string": (7, True, ["x"], {"a": 1}, "nul\0inside"),
    "bool": (1, "true", [True], {}),
    "int": ("1", 1.5, True, [1], -1, 2**63, -2**63),
    "[]string": ("x", 1, {"0": "x"}, [1], ["x", None], [["x"]], ["nul\0inside"]),
}
STREAMS = ("Exec", "Telemetry")  # only with `more`


def description(host):
    """The interface's description, without its comments."""
    connection = connect(str(host.folder / "control.sock"))
    connection.sendall(b'{"method":"org.varlink.service.GetInterfaceDescription",'
                       b'"parameters":{"interface":"io.guestlink"}}\0')
    data = b""
    while not data.endswith(b"\0"):
        data += connection.recv(65536)
    connection.close()
    return re.sub("#.*", "", json.loads(data[:-1])["parameters"]["description"])


def members(words):
    """{member: (type, needed)} of "a: string, b: ?int"."""
    return {key: (kind, not optional)
            for key, optional, kind in re.findall(r"(\w+):\s*(\??)([\[\]\w]+)", words)}


def methods(host):
    """{method: {parameter: (type, needed)}}, as the daemon describes them."""
    return {name: members(words)
            for name, words in re.findall(r"\bmethod (\w+)\s*\(([^)]*)\)", description(host))}


def types(host):
    """{type: {member: (type, needed)}}, likewise."""
    return {name: members(words)
            for name, words in re.findall(r"\btype (\w+)\s*\(([^)]*)\)", description(host))}


def whole(vm, parameters):
    """Parameters of which each is well-formed."""
    good = {key: GOOD[kind] for key, (kind, needed) in parameters.items() if needed}
    return {**good, "vm": vm} if "vm" in parameters else good


def refuse(host, method, parameters, key, why):
    with Call(host, method, more=method in STREAMS, upgrade=method == "Connect", **parameters) as call:
        error, fields = call.reply()
        check(error == "org.varlink.service.InvalidParameter", f"{method} {why}: {error} {fields}")
        check(fields == {"parameter": key}, f"{method} {why}: {fields}")


def case_parameter_of_another_type_is_named(host, vm):
    tried = 0
    with booted(host, vm) as guest:
        for method, parameters in methods(host).items():
            for key, (kind, needed) in parameters.items():
                good = whole(vm, parameters)
                for value in WRONG[kind]:
                    refuse(host, method, {**good, key: value}, key, f"{key}={value!r}")
                    tried += 1
                if needed:
                    del good[key]
                    refuse(host, method, good, key, f"without {key}")
                    refuse(host, method, {**good, key: None}, key, f"{key}=null")
        check_ping(guest)
    check(tried > 50, f"only {tried} values were tried: is the interface's description read?")


def case_capabilities_have_pool_and_token(host, vm):
    facts = {"features": 1 << 4, "swiotlb_base": 0x14000000, "swiotlb_size": 64 << 20}
    with booted(host, vm, facts=facts) as guest:
        for refresh in (False, True):
            with Call(host, "Capabilities", vm=vm, refresh=refresh) as call:
                if refresh:
                    guest.serve(take(guest, g.GET_CAPABILITIES))
                told = call.result()
            check(told["pool"] == "usable", f"refresh={refresh}: {told}")
            check(told["token"] == "swiotlb=0x14000000,67108864", f"refresh={refresh}: {told}")
            check(told["capabilities"]["swiotlb_base"] == "0x14000000", f"{told}")
            check(told["capabilities"]["swiotlb_size"] == 64 << 20, f"{told}")


def compare(known, kind, value, where):
    """value is what the description says of kind, with every member that it names and no other."""
    plain = {"string": str, "bool": bool, "int": int, "object": dict}
    if kind.startswith("["):
        items = value.values() if kind.startswith("[string]") else value
        for item in items:
            compare(known, kind.partition("]")[2], item, where + "[]")
        return
    if kind in plain:
        check(type(value) is plain[kind], f"{where}: {value!r} is no {kind}")
        return
    check(set(value) <= set(known[kind]), f"{where}: {set(value) - set(known[kind])} not described")
    for key, (member, needed) in known[kind].items():
        check(key in value or not needed, f"{where}.{key} is missing")
        if value.get(key) is not None:
            compare(known, member, value[key], f"{where}.{key}")


def case_answers_are_what_is_described(host, vm):
    known = types(host)
    facts = {"features": 1 << 4, "swiotlb_base": 0x14000000, "swiotlb_size": 64 << 20}
    with booted(host, vm, facts=facts):
        for method, parameters, key, kind in (
            ("List", {}, "vms", "[]Summary"),
            ("Show", {"vm": vm}, "vm", "Vm"),
            ("Capabilities", {"vm": vm}, "capabilities", "GuestCapabilities"),
        ):  # fmt: skip
            with Call(host, method, **parameters) as call:
                compare(known, kind, call.result()[key], method)


def case_subscriber_that_left_costs_nothing(host, vm):
    """There is room for 64 at a time: each that leaves makes room, and each gets its events."""
    for _ in range(80):
        with Call(host, "Telemetry", more=True):
            pass
    with Call(host, "Telemetry", more=True) as call, booted(host, vm):
        while call.result()["event"]["vm"] != vm:
            pass
