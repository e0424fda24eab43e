"""A share that the daemon serves by 9P, with what lies beside it on the host."""

import hashlib
import os
import pathlib
import shutil
import stat
import sys
import traceback

import guestlink_guest as g
import p9
from cases_wire import check, check_welcome
from guestlink_guest import Guest
from host import Host, wait_until

ANAME = "/proc/self/cwd/."
FEATURES = 0x4  # 9P, and no virtiofs
SECRET = b"what-no-guest-may-read-" + os.urandom(8).hex().encode()


class Place:
    """A share, what is beside it on the host, and how it was."""

    def __init__(self, host, name, read_only, shares=32):
        self.name = name
        self.folder = host.folder / name
        self.share = self.folder / "share"
        self.outside = self.folder / "outside"
        # Nobody answers a ping while the guest attacks. It may begin more connections the more
        # shares it has.
        self.config = {"timeouts_ms": {"silence": 3_600_000}, "shares": [
            {"tag": f"s{i}", "path": str(self.share), "target": f"/mnt/s{i}", "transport": "9p",
             "read_only": read_only} for i in range(shares)]}
        self.read_only = read_only
        self.clients = []
        self.fill()
        self.before = self.print_of(self.outside)

    def fill(self):
        for folder in (self.share / "sub/deep", self.outside / "dir"):
            folder.mkdir(parents=True)
        (self.share / "file").write_bytes(b"inside")
        (self.share / "sub/deep/file").write_bytes(b"deep inside")
        for path in ("secret", "victim", "victim2", "dir/file"):
            (self.outside / path).write_bytes(SECRET)
        (self.outside / "secret").chmod(0o600)
        if os.geteuid() == 0:
            os.setxattr(self.outside / "secret", "user.secret", SECRET)
            os.mknod(self.share / "old-device", stat.S_IFCHR | 0o666, os.makedev(1, 5))
        # planted by somebody else, or by the guest through another share
        (self.share / "planted").symlink_to(self.outside)
        (self.share / "planted-up").symlink_to("../outside")
        os.mkfifo(self.share / "pipe")

    @staticmethod
    def print_of(folder):
        """What every file below is, so that a change shows."""
        found = {}
        for path in sorted([folder, *folder.rglob("*")]):
            status = path.lstat()
            content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path)] = (status.st_mode, status.st_uid, status.st_nlink, status.st_size,
                                status.st_mtime_ns, hashlib.sha256(content).hexdigest())
        return found

    def try_to_connect(self, path=None):
        with p9.refused():
            return p9.Client(path or self.socket)
        return None

    def connect(self):
        """A client, when the daemon takes one more connection."""
        client = wait_until("a 9P server", self.try_to_connect)
        self.clients.append(client)
        return client

    def check_whole(self, attack, end=True):
        """Nothing outside was read, made, changed, moved in or opened."""
        check(self.print_of(self.outside) == self.before, f"{attack}: the host's files changed")
        beside = sorted(path.name for path in self.folder.iterdir())
        check(beside == ["outside", "share"], f"{attack}: beside the share there is {beside}")
        for path in self.share.rglob("*"):
            mode = path.lstat().st_mode
            check(path.name == "old-device" or not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)),
                  f"{attack}: {path} is a device")
            if stat.S_ISREG(mode):
                check(SECRET not in path.read_bytes(), f"{attack}: {path} is the host's file")
        for client in self.clients:
            check(SECRET not in client.heard, f"{attack}: the guest read the host's secret")
            check(b"root:" not in client.heard, f"{attack}: the guest read the host's passwd")
        if end:
            self.close()

    def close(self):
        for client in self.clients:
            client.socket.close()
        self.clients.clear()


def boot(host, place):
    """A guest that mounts nothing, but learns the port of its share. @return the guest"""
    guest = Guest(host.path(place.name), facts={"features": FEATURES})
    check_welcome(guest.greet())
    frames = guest.serve_until(g.COMPLETE_BOOT)
    mounts = [frame.fields() for frame in frames if frame.type == g.MOUNT]
    check(mounts and mounts[0]["port"], f"no port to mount from: {mounts}, {host.stderr()}")
    place.sockets = [host.path(place.name).replace("_50000", f"_{mount['port']}")
                     for mount in mounts]
    place.socket = place.sockets[0]
    return guest


def share_works(place):
    """It is no jail for those who stay inside."""
    with place.connect() as client:
        root = client.attach(ANAME)
        check(client.read(client.open(client.walk(root, "file"))) == b"inside", "read")
        check(client.read(client.open(client.walk(root, "sub", "deep", "file"))) == b"deep inside",
              "read below")
        check("planted" in client.names(client.open(client.walk(root))), "names")
        if place.read_only:
            return
        made = client.create(client.walk(root), "made")
        client.write(made, b"from the guest")
        check((place.share / "made").read_bytes() == b"from the guest", "written")
        client.setattr(client.walk(root, "made"), p9.SET_MODE, mode=0o4755)
        if os.geteuid() == 0:
            other = client.attach(ANAME, uid=4711)
            (place.share / "sub").chmod(0o777)
            client.create(client.walk(other, "sub"), "of-a-user")
            check((place.share / "sub/of-a-user").stat().st_uid == 4711, "a user's file")
            client.setattr(client.walk(root, "made"), p9.SET_UID, uid=4712)
            check((place.share / "made").stat().st_uid == 4712, "a file given away")
        client.mkdir(root, "new")
        client.rename(client.walk(root, "new"), root, "newer")
        client.remove(client.walk(root, "newer"))
        client.link(root, client.walk(root, "file"), "second")
        client.symlink(root, "alias", "file")
        client.mknod(root, "new-pipe", stat.S_IFIFO | 0o600)
        for name in ("second", "alias", "new-pipe", "made"):
            client.remove(client.walk(root, name))


def play(host, place, acts):
    """Boots a guest and calls each with the place. @return the names of those that failed"""
    failed = []
    with boot(host, place):
        for act in acts:
            label = f"{place.name}: {getattr(act, 'func', act).__name__}"
            try:
                act(place)
                check(host.is_alive(), "guestlink-hostd ended")
                print(f"ok      {label}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed.append(label)
                lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)]
                print(f"FAILED  {label}: {type(error).__name__}: {error} (lines {lines})", flush=True)
                place.close()
    return failed


def run(binary, names_and_settings, acts_of):
    """Plays with a daemon that has these places. @return the exit status of the test"""
    if not shutil.which("diod"):
        print("diod is missing, which serves 9P")
        sys.exit(77)
    host = Host(binary, [])
    failed = []
    try:
        places = [Place(host, *settings) for settings in names_and_settings]
        for place in places:
            host.vms[place.name] = host.vm(place.name, **place.config)
        host.start()
        for place in places:
            failed += play(host, place, acts_of(host, place))
        if host.stop() != 0:
            failed.append("the daemon's end")
        if failed:
            print("--- the daemon's last words ---", host.stderr()[-3000:], sep="\n")
    finally:
        host.clean()
    print(f"{len(failed)} failed" + (": " + ", ".join(failed) if failed else ""))
    return 1 if failed else 0
