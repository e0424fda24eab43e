"""Between the daemon and a real QEMU: passes on what both say, but for the lies that a scenario
asks for. So looks a QEMU that its guest took over."""

import json
import os
import socket
import threading


class Liar:
    def __init__(self, path, qemu):
        """path: where the daemon connects; qemu: QEMU's own QMP socket, which may come later."""
        self.path, self._qemu = path, qemu
        self._lies = {}
        self._asked = {}
        self._lock = threading.Lock()
        self._daemon = None
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(1)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def lie(self, question, answer):
        """From now on answers a command, or a qom-get by its property's name, with that (Python's
        None is JSON's null); leave() ends it."""
        self._lies[question] = answer

    def leave(self):
        self._lies.clear()

    def say(self, line):
        """Says something that nobody asked for, as it stands."""
        with self._lock:
            self._daemon.sendall(line.encode() + b"\n")

    def _serve(self, listener):
        while True:
            connection, _ = listener.accept()
            qemu = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                qemu.connect(str(self._qemu))
            except OSError:
                connection.close()
                continue
            self._daemon = connection
            answers = threading.Thread(target=self._pass_on_answers, args=(qemu, connection),
                                       daemon=True)
            answers.start()
            self._pass_on_commands(connection, qemu)
            answers.join()
            connection.close()
            qemu.close()

    def _pass_on_commands(self, connection, qemu):
        try:
            for line in connection.makefile("rb"):
                command = json.loads(line)
                arguments = command.get("arguments", {})
                self._asked[command["id"]] = arguments.get("property", command["execute"])
                qemu.sendall(line)
        except OSError:
            pass
        _hang_up(qemu)

    def _pass_on_answers(self, qemu, connection):
        try:
            for line in qemu.makefile("rb"):
                answer = json.loads(line)
                question = self._asked.get(answer.get("id"))
                if question in self._lies:
                    answer = {"return": self._lies[question], "id": answer["id"]}
                with self._lock:
                    connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass
        _hang_up(connection)


def _hang_up(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def link_instead(path, other):
    """Puts a link to another socket where a socket is; returns what undoes that."""
    aside = path.with_name(path.name + ".aside")
    os.rename(path, aside)
    os.symlink(other, path)
    return lambda: os.rename(aside, path)
