"""A front end of vhost-user, as QEMU is one: two split rings in memory of its own, and whatever else
it likes to say. Nothing here is checked before it is sent."""

import mmap
import os
import select
import socket
import struct

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE = 1, 2, 3, 5
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL = 12, 13
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, SET_VRING_ENABLE = 15, 16, 18

VERSION_1, PROTOCOL_FEATURES = 1 << 32, 1 << 30

# A descriptor's flags (virtio 1.2, 2.7.5).
NEXT, WRITE, INDIRECT = 1, 2, 4

HIPRIO, REQUESTS = 0, 1
SIZE = 128  # of a ring
MEMORY = 8 << 20
RING_SPACE = 0x10000  # descriptors, available and used ring of one vring
BUFFERS = 0x40000
USER_ADDRESS = 0x7F0000000000


class Gone(Exception):
    """The other side closed the connection, or says nothing."""


class Frontend:
    """One connection, and the memory of a guest that there is not."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.be_patient(60)
        self.socket.connect(str(path))
        self.file = os.memfd_create("guest", os.MFD_CLOEXEC)
        os.ftruncate(self.file, MEMORY)
        self.memory = mmap.mmap(self.file, MEMORY)
        self.kicks = [os.eventfd(0, os.EFD_CLOEXEC) for _ in range(2)]
        self.calls = [os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK) for _ in range(2)]
        self.available = [0, 0]
        self.used = [0, 0]

    def be_patient(self, seconds):
        """For an answer."""
        self.seconds = seconds
        self.socket.settimeout(seconds)

    def close(self):
        self.socket.close()
        for fd in [self.file, *self.kicks, *self.calls]:
            os.close(fd)
        self.memory.close()

    def send(self, request, payload=b"", fds=(), flags=1):
        message = struct.pack("<III", request, flags, len(payload)) + payload
        try:
            socket.send_fds(self.socket, [message], list(fds))
        except OSError as error:
            raise Gone(str(error)) from error

    def receive(self):
        data = b""
        try:
            while len(data) < 12 or len(data) < 12 + struct.unpack_from("<I", data, 8)[0]:
                part = self.socket.recv(65536)
                if not part:
                    raise Gone("end of the connection")
                data += part
        except OSError as error:
            raise Gone(str(error)) from error
        return data[12:]

    def ask(self, request, payload=b""):
        self.send(request, payload)
        return struct.unpack("<Q", self.receive()[:8])[0]

    def set_up(self, size=MEMORY):
        """All that a driver's start has QEMU say. @p size of the guest's memory, perhaps a lie."""
        features = self.ask(GET_FEATURES)
        self.send(SET_OWNER)
        if features & PROTOCOL_FEATURES:
            self.ask(GET_PROTOCOL_FEATURES)
            self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", 0))
        self.send(SET_FEATURES, struct.pack("<Q", features & (VERSION_1 | PROTOCOL_FEATURES)))
        self.send(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, size, USER_ADDRESS, 0),
                  [self.file])
        for vring in (HIPRIO, REQUESTS):
            self.start_vring(vring)

    def start_vring(self, vring):
        base = USER_ADDRESS + vring * RING_SPACE
        self.send(SET_VRING_NUM, struct.pack("<II", vring, SIZE))
        self.send(SET_VRING_BASE, struct.pack("<II", vring, 0))
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", vring, 0, base, base + 0x2000,
                                              base + 0x1000, 0))
        self.send(SET_VRING_CALL, struct.pack("<Q", vring), [self.calls[vring]])
        self.send(SET_VRING_KICK, struct.pack("<Q", vring), [self.kicks[vring]])
        self.send(SET_VRING_ENABLE, struct.pack("<II", vring, 1))

    def describe(self, vring, index, address, size, flags, following=0):
        struct.pack_into("<QIHH", self.memory, vring * RING_SPACE + index * 16, address, size,
                         flags, following)

    def offer(self, vring, head, ahead=1):
        """Makes the chain at @p head available, and says that @p ahead more are."""
        at = vring * RING_SPACE + 0x1000
        struct.pack_into("<H", self.memory, at + 4 + 2 * (self.available[vring] % SIZE), head)
        self.available[vring] = (self.available[vring] + ahead) % 0x10000
        struct.pack_into("<H", self.memory, at + 2, self.available[vring])
        os.write(self.kicks[vring], struct.pack("<Q", 1))

    def wait_used(self, vring, seconds):
        """@return how many bytes it wrote, or None: no answer"""
        poll = select.poll()
        poll.register(self.calls[vring], select.POLLIN)
        poll.register(self.socket, select.POLLRDHUP)
        at = vring * RING_SPACE + 0x2000
        while struct.unpack_from("<H", self.memory, at + 2)[0] == self.used[vring]:
            events = dict(poll.poll(seconds * 1000))
            if not events:
                return None
            if self.socket.fileno() in events:
                raise Gone("end of the connection")
            os.read(self.calls[vring], 8)
        length = struct.unpack_from("<II", self.memory, at + 4 + 8 * (self.used[vring] % SIZE))[1]
        self.used[vring] = (self.used[vring] + 1) % 0x10000
        return length

    def exchange(self, parts, room, vring=REQUESTS):
        """One request: @p parts to read, @p room to write. @return what was written, or None"""
        offset, index = BUFFERS, 0
        for part in parts:
            self.memory[offset:offset + len(part)] = part
            self.describe(vring, index, offset, len(part), NEXT if room or part is not parts[-1]
                          else 0, index + 1)
            offset, index = offset + (len(part) + 15) // 16 * 16, index + 1
        begin = offset
        for i, size in enumerate(room):
            last = i == len(room) - 1
            self.describe(vring, index, offset, size, WRITE | (0 if last else NEXT), index + 1)
            offset, index = offset + size, index + 1
        self.offer(vring, 0)
        if self.wait_used(vring, self.seconds) is None:
            return None
        return bytes(self.memory[begin:offset])
