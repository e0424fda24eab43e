"""QEMU's control socket, for what the lab itself asks of it (one question per connection)."""

import json
import socket

from wait import patient


def execute(path, command, /, **arguments):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(patient(10))
        sock.connect(str(path))
        with sock.makefile("rw", encoding="utf-8") as stream:
            stream.readline()
            _ask(stream, "qmp_capabilities", {})
            return _ask(stream, command, arguments)


def _ask(stream, command, arguments):
    stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    stream.flush()
    for line in stream:
        answer = json.loads(line)
        if "return" in answer:
            return answer["return"]
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']['desc']}")
    raise RuntimeError(f"{command}: QEMU closed the connection")
