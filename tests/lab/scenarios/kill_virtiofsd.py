"""virtiofsd, its relay and the relay's keeper are killed under a running guest: told at once, guest and hostd live on, the share comes back."""

import signal

import process
from show import need
from wait import wait_for


def play(lab):
    guest, hostd = lab.serve()
    lab.wait_counting()
    share = Share(lab, hostd, str(lab.folder / "shares" / "lab"))
    share.killed("virtiofsd", lambda: share.pids, "killed by signal 9 (Killed)")
    share.comes_back()
    lab.need_alive(hostd)

    share.killed_without_a_daemon()
    share.comes_back()
    # The next daemon is nobody's parent here: systemd starts what serves shares.
    hostd.process.kill()
    hostd.process.wait()
    hostd.start()
    hostd.wait_event("GuestReady", lab.seconds(30), count=3)
    share.asked_in_vain()
    share.killed("virtiofsd of another daemon", lambda: share.pids, "killed by signal 9 (Killed)")
    share.comes_back()
    share.asked_in_vain()
    share.killed("the relay", lambda: [share.relays[-2]], "the relay was killed")
    share.comes_back()
    share.killed("the keeper", lambda: [share.relays[-1]], "virtiofsd: ")
    share.comes_back()
    share.told_to_end()
    share.given_up()
    share.comes_back()
    lab.need_alive(hostd)
    lab.shut_down(hostd, guest)


class Share:
    """The guest's one share, and the processes that serve it: virtiofsd, which is its own parent
    once, the relay's child, or that of a process of the relay's that waits for it outside of its
    jail; the relay, its keeper's."""

    def __init__(self, lab, hostd, folder):
        self.lab, self.hostd, self.folder = lab, hostd, folder
        self.told = 0

    @property
    def pids(self):
        """The one that is there and its child, once the one before and its stand-in have ended."""
        def probe():
            pids = process.pids_with(self.folder)
            parents = {pid: process.parent_of(pid) for pid in pids}
            first = [pid for pid in pids if parents[pid] not in pids]
            if len(first) != 1:
                return None
            return first + [pid for pid in pids if parents[pid] in pids]
        return wait_for(f"one virtiofsd that serves {self.folder}", self.lab.seconds(20), probe)

    @property
    def relays(self):
        """virtiofsd's ancestors of that program: the last one is the keeper, before it the relay."""
        found, pid = [], process.parent_of(self.pids[0])
        while "guestlink-virtiofs-relay" in process.command_of(pid):
            found, pid = [*found, pid], process.parent_of(pid)
        return found

    def asked_in_vain(self):
        """virtiofsd stops, and the payload waits for it."""
        for pid in self.pids:
            process.kill_pid(pid, signal.SIGSTOP)
        self.lab.pause(1)

    def killed_without_a_daemon(self):
        """The next one finds it so, and the guest has a mount that nobody serves."""
        self.hostd.process.kill()
        self.hostd.process.wait()
        pids = self.pids
        for pid in pids:
            process.kill_pid(pid)
        self.hostd.start()
        self.hostd.wait_event("GuestReady", self.lab.seconds(30), count=2)
        need(not self.hostd.failures("share")[self.told:], f"{self.hostd.failures('share')}")
        self.lab.say(f"virtiofsd ({pids}) killed while there was no daemon")

    def killed(self, what, pids, expected):
        """Kills them, and sees what is told."""
        pids = pids()
        for pid in pids:
            process.kill_pid(pid)
        event = wait_for("telemetry event DeviceFailed", self.lab.seconds(10),
                         lambda: self.hostd.failures("share")[self.told:])[0]
        need(expected in event["text"], f"{expected!r} is not in what is told: {event}")
        self.lab.say(f"{what} ({pids}) killed: {event['text'][:120]}")
        self.told += 1

    def comes_back(self):
        """By itself; with a few deaths in a minute the daemon would give it up."""
        self.lab.wait_counting()
        self.lab.say("the payload counts on its share again")

    def told_to_end(self):
        """As systemd does with all of a unit that it is to stop, or whose first process ended."""
        self.asked_in_vain()
        for pid in self.relays[-2:]:
            process.kill_pid(pid, signal.SIGTERM)
        self.killed("virtiofsd of those told to end", lambda: self.pids,
                    "killed by signal 9 (Killed)")

    def given_up(self):
        """One death too many; it is the operator's then."""
        event = wait_for("the share to be given up", self.lab.seconds(10),
                         lambda: self.hostd.failures("share")[self.told:])[0]
        need("too often" in event["text"], f"{event}")
        for words in (("remove", "lab", "c"), ("add", "lab", "c", self.folder, "/mnt/c")):
            status, said = self.lab.control(self.hostd, "share", *words)
            need(status == 0, f"share {words[0]}: {status}: {said}")
