"""Connections to services of a guest: the control socket's own connection becomes one of them."""

import contextlib
import socket
import threading

import guestlink_guest as g
from cases_control import Call, booted, take
from cases_wire import check, check_ping
from host import connect, wait_until

VMS = {}
CONNECTIONS = {"features": 1 << 10}
CONNECTION = 1 << 5  # of START_PROCESS' flags
WINDOW = 65536
MOST = 32


def asked(host, vm, guest, to="127.0.0.1:80"):
    """A call of Connect, and the frame that came of it."""
    call = Call(host, "Connect", upgrade=True, vm=vm, to=to)
    return call, take(guest, g.START_PROCESS)


@contextlib.contextmanager
def connected(host, vm, guest):
    """The connection, and its number in the guest."""
    call, frame = asked(host, vm, guest)
    guest.answer(frame)
    check(call.result() == {} and not call.data, "more than an answer")
    call.connection.settimeout(20)
    with call.connection as sock:
        yield sock, frame.fields()["process"]


def output(guest, process, data):
    guest.send(g.PROCESS_OUTPUT, {"process": process, "stream": 1, "data": data}, ident=0)


def read(sock, size):
    got = b""
    while len(got) < size:
        data = sock.recv(size - len(got))
        check(data, f"closed after {len(got)} of {size} bytes")
        got += data
    return got


def exited(guest, process, status=0):
    guest.receive_answer(guest.send(g.CHILD_EXITED, {
        "process": process, "role": 1, "status": status, "pid": 9, "again_ms": g.NOT_AGAIN}))


def case_connection_passes_bytes_as_they_are(host, vm):
    with booted(host, vm, CONNECTIONS) as guest:
        call, frame = asked(host, vm, guest, "8080")
        fields = frame.fields()
        check(fields["argv"] == ["127.0.0.1:8080"] and fields["flags"] == CONNECTION | 3 and
              fields["role"] == 1, f"{fields}")
        guest.answer(frame)
        call.result()
        call.connection.close()
        check(take(guest, g.SEND_SIGNAL).fields()["process"] == fields["process"], "who is ended?")
        with connected(host, vm, guest) as (sock, process):
            sock.sendall(b"\0ask\xff")
            frame = take(guest, g.PROCESS_INPUT)
            check(frame.fields()["data"] == b"\0ask\xff", f"{frame.fields()}")
            guest.answer(frame)
            output(guest, process, b"\xfe\0answer")
            check(read(sock, 8) == b"\xfe\0answer", "other bytes")
            check(take(guest, g.OUTPUT_TAKEN).fields() == {"process": process, "bytes": 8}, "taken")
        check_ping(guest)


def case_connection_ends_each_way_by_itself(host, vm):
    with booted(host, vm, CONNECTIONS) as guest:
        with connected(host, vm, guest) as (sock, process):
            sock.shutdown(socket.SHUT_WR)
            frame = take(guest, g.PROCESS_INPUT)
            check(frame.fields()["data"] == b"", f"no end: {frame.fields()}")
            guest.answer(frame)
            output(guest, process, b"late")
            check(read(sock, 4) == b"late", "what comes behind our end")
            output(guest, process, b"")
            check(sock.recv(1) == b"", "no end")
            exited(guest, process)
        with connected(host, vm, guest) as (sock, process):
            output(guest, process, b"")
            check(sock.recv(1) == b"", "no end")
            sock.sendall(b"still")
            frame = take(guest, g.PROCESS_INPUT)
            check(frame.fields()["data"] == b"still", f"{frame.fields()}")
            guest.answer(frame, 32, "its input is closed")
            check_ping(guest)
            try:
                sock.sendall(b"x")
                check(False, "nobody takes it, and it was taken")
            except BrokenPipeError:
                pass
        check_ping(guest)


def case_connection_s_slow_reader_holds_up_nobody(host, vm):
    """The guest sends what it may; another command's output comes meanwhile."""
    with booted(host, vm, CONNECTIONS) as guest:
        with connected(host, vm, guest) as (sock, process):
            sent, taken = 0, 0
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            while sent - taken <= WINDOW - 16384:
                output(guest, process, bytes(16384))
                sent += 16384
                with contextlib.suppress(TimeoutError):
                    while True:
                        frame = guest.receive(0.2)
                        check(frame.type == g.OUTPUT_TAKEN, f"{frame}")
                        taken += frame.fields()["bytes"]
                check(sent < 8 << 20, "who holds all that?")
            with Call(host, "Exec", more=True, vm=vm, argv=["true"]) as call:
                frame = take(guest, g.START_PROCESS)
                guest.answer(frame)
                check(call.result()["process"] > 0, "no process")
                exited(guest, frame.fields()["process"])
                check(call.result()["status"] == 0, "it waits for somebody else's reader")
            check(len(read(sock, sent)) == sent, "not all")
        check_ping(guest)


def case_connection_of_a_guest_that_sends_more_than_it_may_ends(host, vm):
    with booted(host, vm, CONNECTIONS) as guest:
        with connected(host, vm, guest) as (sock, process):
            for _ in range(64):
                output(guest, process, bytes(16384))
            check(take(guest, g.SEND_SIGNAL).fields()["process"] == process, "nobody is ended")
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(65536):
                    pass
        check_ping(guest)


def case_connection_that_cannot_be_is_told(host, vm):
    with booted(host, vm) as guest:
        with Call(host, "Connect", upgrade=True, vm=vm, to="80") as call:
            check("too old for connections" in call.failure()[1]["reason"], "an old guest is asked")
        check_ping(guest)
    with booted(host, vm, CONNECTIONS) as guest:
        call, frame = asked(host, vm, guest, "/run/nobody.sock")
        with call:
            guest.answer(frame, 111, "connection")
            reason = call.failure()[1]["reason"]
            check(reason == 'cannot connect to "/run/nobody.sock" in the guest: Connection refused', reason)
        for to in ("192.0.2.1:80", "localhost:80", "0.0.0.0:80", "[::]:80", "80x", "", "run/x"):
            with Call(host, "Connect", upgrade=True, vm=vm, to=to) as call:
                check(call.failure()[0] == "InvalidParameter", f"{to} was taken")
        with Call(host, "Connect", vm=vm, to="80") as call:
            check(call.failure()[0] == "MethodNotImplemented", "without an upgrade")
        check_ping(guest)
    with Call(host, "Connect", upgrade=True, vm=vm, to="80") as call:
        check(call.failure()[0] == "NotConnected", "without a guest")


def case_connection_may_end_before_it_stands(host, vm):
    with booted(host, vm, CONNECTIONS) as guest:
        call, frame = asked(host, vm, guest)
        with call:
            exited(guest, frame.fields()["process"])
            reason = call.failure()[1]["reason"]
            check(reason == "the connection ended as it began", reason)
        call, frame = asked(host, vm, guest)
        with call:
            for _ in range(WINDOW // 16384 + 1):
                output(guest, frame.fields()["process"], bytes(16384))
            reason = call.failure()[1]["reason"]
            check(reason == "the guest sends more than it may", reason)
        check(take(guest, g.SEND_SIGNAL).fields()["process"] == frame.fields()["process"], "who?")
        call, frame = asked(host, vm, guest)
        call.connection.close()  # the client does not wait for it
        guest.answer(frame)
        check(take(guest, g.SEND_SIGNAL).fields()["process"] == frame.fields()["process"], "who?")
        with connected(host, vm, guest):
            check_ping(guest)


def case_connection_ends_with_its_client(host, vm):
    with booted(host, vm, CONNECTIONS) as guest:
        with connected(host, vm, guest) as (sock, process):  # with something unread
            output(guest, process, b"unread")
            check(take(guest, g.OUTPUT_TAKEN).fields()["bytes"] == 6, "not taken")
        check(take(guest, g.SEND_SIGNAL).fields()["process"] == process, "unread: it stands")
        with connected(host, vm, guest) as (sock, process):
            sock.shutdown(socket.SHUT_WR)
            frame = take(guest, g.PROCESS_INPUT)
            guest.answer(frame)
            sock.shutdown(socket.SHUT_RD)  # it has closed both ways
            check(take(guest, g.SEND_SIGNAL).fields()["process"] == process, "both ways: it stands")
        with connected(host, vm, guest) as (sock, process):
            sock.shutdown(socket.SHUT_RD)
            output(guest, process, b"nobody reads this")
            check(take(guest, g.SEND_SIGNAL).fields()["process"] == process, "a reader that left")
        check_ping(guest)


def fill(sock, data):
    """@return how much of it has room while nobody takes any"""
    sent = 0
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while sent < len(data):
            sent += sock.send(data[sent:])
    sock.settimeout(20)
    return sent


def is_broken(sock):
    """True if nothing can be sent any more; poll(2) does not tell that of a full socket."""
    try:
        fill(sock, bytes(WINDOW))
    except BrokenPipeError:
        sock.settimeout(20)
        return True
    return False


def case_connection_s_input_waits_for_the_guest(host, vm):
    """What the guest has no room for is held, and a client learns that it takes no more."""
    data = bytes(range(256)) * 4096
    with booted(host, vm, CONNECTIONS) as guest:
        with connected(host, vm, guest) as (sock, process):
            sent = fill(sock, data)
            writer = threading.Thread(target=sock.sendall, args=(data[sent:],))
            writer.start()
            got = b""
            while len(got) < len(data):
                frame = take(guest, g.PROCESS_INPUT)
                got += frame.fields()["data"]
                guest.answer(frame)
            writer.join()
            check(got == data, "other bytes")
            output(guest, process, b"well")
            check(read(sock, 4) == b"well", "the other way")
        with connected(host, vm, guest) as (sock, process):
            fill(sock, data)
            guest.answer(take(guest, g.PROCESS_INPUT), 32, "its input is closed")
            wait_until("an error for who writes", lambda: is_broken(sock))  # noqa: B023
            output(guest, process, b"well")
            check(read(sock, 4) == b"well", "the other way")
        check_ping(guest)


def case_connections_have_a_bound_and_end_with_the_guest(host, vm):
    with booted(host, vm, CONNECTIONS) as guest, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connected(host, vm, guest))[0] for _ in range(MOST)]
        with Call(host, "Connect", upgrade=True, vm=vm, to="80") as call:
            check(f"has {MOST} connections already" in call.failure()[1]["reason"], "another one")
        socks.pop().close()
        take(guest, g.SEND_SIGNAL)
        socks.append(stack.enter_context(connected(host, vm, guest))[0])
        guest.close()
        for sock in socks:
            check(sock.recv(1) == b"", "it stands without its guest")
    with connect(str(host.folder / "control.sock")):
        check(host.is_alive(), "the daemon ended")
