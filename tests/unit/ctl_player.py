"""A guest that is played for guestlinkctl: it serves, and runs a few commands of its own."""

import socket
import threading
import time

import guestlink_guest as g
from host import WAIT


class Player(threading.Thread):
    """A guest that serves until it is told to shut down; its commands are few and its own."""

    def __init__(self, path, features=0x37, **more):
        super().__init__(daemon=True)
        facts = {"swiotlb_base": 0x14000000, "swiotlb_size": 67108864, "features": features, **more}
        self.guest = g.Guest(path, facts=facts)
        self.guest.greet()
        self.process = None
        self.words = []  # the first of each command that was asked for
        self.started = None  # the last START_PROCESS
        self.typed = b""  # all input
        self.sizes, self.signals = [], []  # what was asked of commands
        self.start()

    def run(self):
        while True:
            try:
                frame = self.guest.receive(10 * WAIT)
            except Exception:  # pylint: disable=broad-except
                return
            if frame.type == g.START_PROCESS and frame.fields()["role"] == 1:
                self.start_command(frame)
            elif frame.type == g.PROCESS_INPUT:
                self.take_input(frame)
            elif frame.type == g.SEND_SIGNAL:
                self.guest.answer(frame)
                self.signals.append(frame.fields()["signal"])
                self.exit(128 + frame.fields()["signal"], frame.fields()["signal"])
            elif frame.type == g.RESIZE_TERMINAL:
                self.guest.answer(frame)
                self.sizes.append((frame.fields()["rows"], frame.fields()["columns"]))
            elif frame.type == g.MOUNT and frame.fields()["target"] == "/mnt/refused":
                self.guest.answer(frame, 2, "no such target")
            elif frame.type == g.SHUT_DOWN:
                self.guest.answer(frame)
                self.guest.send(g.FAREWELL, {"how": 0})
                time.sleep(0.1)
                self.guest.close()
                return
            else:
                self.guest.serve(frame)

    def leave(self):
        """Closes the connection at once: while run() waits for a frame, close() alone does not."""
        self.guest.socket.shutdown(socket.SHUT_RDWR)
        self.join(WAIT)
        self.guest.close()

    def start_command(self, frame):
        self.process = frame.fields()["process"]
        self.started = frame.fields()
        word = frame.fields()["argv"][0]
        self.guest.answer(frame, 2 if word in ("missing", "") else 0)
        if word == "say":
            self.output(1, b"out\n")
            self.output(2, b"err\n")
            self.exit(7)
        elif word == "words":  # back as they came
            self.output(1, "\0".join(frame.fields()["argv"][1:]).encode())
            self.exit(0)
        elif word in ("flood", "flood-stderr"):
            for _ in range(300):
                self.output(2 if "stderr" in word else 1, bytes(16384))
            self.exit(0)
        self.words.append(word)

    def take_input(self, frame):
        data = frame.fields()["data"]
        self.guest.answer(frame)
        self.typed += data
        if data:
            self.output(1, data)
        else:
            self.exit(0)

    def output(self, stream, data):
        self.guest.send(g.PROCESS_OUTPUT, {"process": self.process, "stream": stream, "data": data},
                        ident=0)  # fmt: skip

    def exit(self, status, signal=0):
        for stream in (1, 2):
            self.output(stream, b"")
        exited = {"process": self.process, "role": 1, "status": status, "signal": signal, "pid": 9,
                  "again_ms": g.NOT_AGAIN}  # fmt: skip
        self.guest.send(g.CHILD_EXITED, exited)
