"""A libvirtd that is played, as far as guestlink-libvirt goes: libvirt's own library is at the other
end, in its remote protocol (an RPC header and XDR). It has the domains "dev", "other" and so on,
all alike, and a test answers the calls about devices."""

import contextlib
import os
import socket
import struct
import threading

REMOTE, QEMU = 0x20008086, 0x20008087  # programs
HEADER = struct.Struct(">IIiiIi")  # program, version, procedure, type, serial, status
REPLY, MESSAGE = 1, 2  # types
OK, ERROR = 0, 1  # statuses

# Procedures.
OPEN, VERSION, XML, LOOK_UP, FEATURE, AUTH_LIST, IS_ACTIVE = 1, 4, 14, 23, 60, 66, 150
LIBRARY_VERSION, ATTACH, STATE, METADATA, LIST, REGISTER, DETACH = 157, 160, 212, 265, 273, 316, 392
LIFECYCLE, REBOOT, REMOVED, REMOVAL_FAILED, METADATA_CHANGE = 318, 319, 333, 367, 379

CALLBACKS = {0: LIFECYCLE, 1: REBOOT, 15: REMOVED, 22: REMOVAL_FAILED, 23: METADATA_CHANGE}
FEATURE_CLOSE_CALLBACK, FEATURE_EVENT_CALLBACK = 15, 14
NO_DOMAIN = 42
NO_STATE = -1  # of an event that says nothing


def number(value):
    return struct.pack(">i", value)


def long_number(value):
    return struct.pack(">Q", value)


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def read_text(data):
    """@return the text at the beginning, and what is behind it"""
    (size,) = struct.unpack_from(">I", data)
    return data[4 : 4 + size].decode(), data[4 + size + (-size % 4) :]


def domain(name="dev"):
    return text(name) + bytes(16) + number(1)


def past_domain(data):
    return read_text(data)[1][20:]  # an UUID and an ID


def failure(code, words):
    """A virNetMessageError, of the domain QEMU."""
    return (number(code) + number(10) + number(1) + text(words) + number(2) + number(0) * 4
            + number(-1) * 2 + number(0))  # fmt: skip


class Refused(Exception):
    def __init__(self, code, words):
        super().__init__(words)
        self.code, self.words = code, words


class Held(Exception):
    """The answer comes later, by release()."""


class Libvirtd(threading.Thread):
    """Takes one connection after the other. attach(xml), detach(alias), monitor(command) and
    register(event) are a test's; they may raise Refused or Held."""

    def __init__(self, folder, xml):
        super().__init__(daemon=True)
        self.path = str(folder / "libvirt-sock")
        self.uri = f"test+unix:///default?socket={self.path}"
        self.xml = xml
        self.version, self.library_version = 7002019, 9000000
        self.attach = self.detach = self.register = self.monitor = self.describe = lambda what: None
        self.called = lambda procedure: None  # before any is answered
        self.asked = []  # what the functions above were called with, and others, by name
        self.held = []  # what is still to be answered
        self.connection = None
        self.sending = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                self.connection, self.held = self.listener.accept()[0], []
                with contextlib.suppress(EOFError, ConnectionError):
                    while True:
                        self.serve()

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def serve(self):
        (size,) = struct.unpack(">I", self.read(4))
        data = self.read(size - 4)
        program, _, procedure, _, serial, _ = HEADER.unpack_from(data)
        status = OK
        try:
            body = self.answer(program, procedure, data[HEADER.size :])
        except Refused as refusal:
            status, body = ERROR, failure(refusal.code, refusal.words)
        except Held:
            self.held.append((program, procedure, REPLY, serial, OK, b""))
            return
        self.send(program, procedure, REPLY, serial, status, body)

    def send(self, program, procedure, kind, serial, status, body):
        header = HEADER.pack(program, 1, procedure, kind, serial, status)
        with self.sending:
            self.connection.sendall(struct.pack(">I", 4 + len(header) + len(body)) + header + body)

    def answer(self, program, procedure, arguments):
        self.called(procedure)
        if program == QEMU:
            self.ask("monitor", read_text(past_domain(arguments))[0])
            return text("{}")
        if procedure == AUTH_LIST:
            return number(0)
        if procedure == FEATURE:
            feature = struct.unpack(">i", arguments)[0]
            return number(feature in (FEATURE_CLOSE_CALLBACK, FEATURE_EVENT_CALLBACK))
        if procedure in (VERSION, LIBRARY_VERSION):
            return long_number(self.version if procedure == VERSION else self.library_version)
        if procedure == REGISTER:
            event = struct.unpack_from(">i", arguments)[0]
            self.ask("register", event)
            return number(event)  # the callback's number
        if procedure == LOOK_UP:
            if read_text(arguments)[0] == "nobody":
                raise Refused(NO_DOMAIN, "Domain not found")
            return domain(read_text(arguments)[0])
        if procedure == LIST:
            return number(1) + domain() + number(1)
        if procedure == XML:
            self.ask("describe", read_text(arguments)[0])
            return text(self.xml)
        if procedure == METADATA:
            return text("<vm xmlns='urn:guestlink:vm:1'>of the metadata</vm>")
        if procedure in (ATTACH, DETACH):
            name = "attach" if procedure == ATTACH else "detach"
            what, flags = read_text(past_domain(arguments))
            if struct.unpack(">i", flags)[0] != 1:
                raise Refused(8, "expected VIR_DOMAIN_AFFECT_LIVE")
            self.ask(name, what)
            return b""
        if procedure == IS_ACTIVE:
            return number(1)
        return number(1) + number(1)  # a state; nobody reads the others'

    def ask(self, name, what):
        self.asked.append((name, what))
        getattr(self, name)(what)

    def event(self, procedure, *more):
        """An event of the domain's; more is what follows it."""
        number_of = {to: event for event, to in CALLBACKS.items()}
        self.send(REMOTE, procedure, MESSAGE, 0, OK,
                  number(number_of[procedure]) + domain() + b"".join(more))  # fmt: skip

    def release(self):
        """Answers the first that is held."""
        self.send(*self.held.pop(0))

    def disconnect(self):
        self.connection.shutdown(socket.SHUT_RDWR)

    def clean(self):
        self.listener.close()
        if self.connection:
            self.connection.close()
        os.unlink(self.path)
