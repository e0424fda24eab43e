"""What holds virtiofsd besides its own checks: what its process may do and see; and what a guest
that took it over, and got rid of its system call filter, could do from there."""

import ctypes
import os
import pathlib
import resource
import shutil
import stat
import struct
import subprocess
import sys

import forged
from share import need

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lab"))
import spy  # noqa: E402

# linux/capability.h
CAPABILITIES = {"CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "SETGID": 6, "SETUID": 7}
ALLOWED = sum(1 << number for number in CAPABILITIES.values())
LIMITS = {"nosuid", "nodev"}
USER = 12345  # nobody's

# What there is above a directory, of which host and procfs have the one or the other.
UP = [b"../" * up + name for up in range(9) for name in (
    b"sys/kernel/core_pattern", b"sysrq-trigger", b"proc/sys/kernel/core_pattern",
    b"proc/sysrq-trigger", b"etc/passwd", b"1/task/../../../etc/passwd", b"dev/kmsg", b"bin/sh")]

libc = ctypes.CDLL(None, use_errno=True)


def status(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value.strip()
    raise AssertionError(f"/proc/{pid}/status has no {field}")


def mounts(pid):
    """@return of each mount: where, its options"""
    return [(fields[4], set(fields[5].split(",")))
            for fields in map(str.split, pathlib.Path(f"/proc/{pid}/mountinfo").read_text()
                              .splitlines())]


def what_it_may(scene, server, read_only):
    """Capabilities, filter, namespaces, mounts of the process that reads what the guest says"""
    pid = server.worker()
    for field in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        more = int(status(pid, field), 16) & ~ALLOWED
        need(not more, f"{field} of virtiofsd has {more:#x} more than it needs")
    need(int(status(pid, "CapBnd"), 16) == 0, "virtiofsd can get capabilities from a file")
    need(status(pid, "NoNewPrivs") == "1", "virtiofsd can get privileges from a file")
    need(status(pid, "Seccomp") == "2", "virtiofsd has no system call filter")
    for name in ("mnt", "pid", "net"):
        need(os.readlink(f"/proc/{pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"),
             f"virtiofsd is in the host's {name} namespace")
    need(len(status(pid, "NSpid").split()) == 2 and status(pid, "NSpid").split()[1] == "1",
         "virtiofsd is not the first process of its namespace")
    need(resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] > resource.getrlimit(
        resource.RLIMIT_NOFILE)[0], "virtiofsd may have no more files open than this test")
    found = mounts(pid)
    need([where for where, _ in found] == ["/"], f"virtiofsd sees more than the share: {found}")
    wanted = LIMITS | ({"ro"} if read_only else {"rw"})
    need(wanted <= found[0][1], f"the share is mounted {found[0][1]}, not {wanted}")
    need(sorted(os.listdir(f"/proc/{pid}/root")) == sorted(os.listdir(scene.share)),
         "virtiofsd's root is not the share")


def call(name, *arguments):
    """@return 0 or more, or -errno"""
    result = getattr(libc, name)(*arguments)
    return -ctypes.get_errno() if result < 0 else result


class Handle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_char * 128)]


def handle_of(path):
    handle, mount = Handle(size=128), ctypes.c_int()
    result = call("name_to_handle_at", -100, os.fsencode(path), ctypes.byref(handle),
                  ctypes.byref(mount), 0)
    return handle if result >= 0 else None


def descriptors(pid):
    """virtiofsd's own, as who took it over has them."""
    pidfd = os.pidfd_open(pid)
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        fd = libc.syscall(438, pidfd, int(name), 0)  # pidfd_getfd
        if fd >= 0:
            found[int(name)] = fd
    os.close(pidfd)
    return found


def become(pid, capabilities):
    """This process sees what @p pid sees, and may what it may."""
    root = os.open(f"/proc/{pid}/root", os.O_PATH)
    names = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in ("net", "mnt")]
    for fd in names:
        need(call("setns", fd, 0) == 0, "setns")
        os.close(fd)
    os.fchdir(root)
    os.chroot(".")
    os.close(root)
    for number in range(64):
        libc.prctl(24, number, 0, 0, 0)  # PR_CAPBSET_DROP
    words = [(capabilities >> shift) & 0xFFFFFFFF for shift in (0, 0, 32, 32)]
    head = ctypes.create_string_buffer(struct.pack("<Ii", 0x20080522, 0))
    data = ctypes.create_string_buffer(struct.pack("<IIIIII", words[0], words[1], 0, words[2],
                                                   words[3], 0))
    need(call("capset", head, data) == 0, "capset")


def try_to_get_out(handle, own):
    """Runs inside. @return what it could do that it should not"""
    done = []

    def attempt(what, result):
        if result >= 0:
            done.append(what)

    attempt("make a block device", call("mknod", b"/taken", stat.S_IFBLK | 0o666,
                                        ctypes.c_ulong(os.makedev(254, 0))))
    attempt("make a character device", call("mknod", b"/taken", stat.S_IFCHR | 0o666,
                                            ctypes.c_ulong(os.makedev(1, 11))))
    for name in (b"/zero", b"/disk"):
        attempt(f"open the device {name.decode()}", call("open", name, os.O_RDONLY | os.O_NONBLOCK))
    roots = [os.open("/", os.O_RDONLY), *own.values()]
    for fd in roots:
        if handle:
            attempt("open a file by its handle", call("open_by_handle_at", fd, ctypes.byref(handle),
                                                      os.O_RDONLY))
        for path in UP:
            attempt(f"write {path.decode()}", call("openat", fd, path, os.O_WRONLY))
            attempt(f"read {path.decode()}", call("openat", fd, path, os.O_RDONLY))
    attempt("mount", call("mount", b"none", b"/dir", b"tmpfs", 0, None))
    attempt("mount its share without limits", call("mount", None, b"/", None, 32 | 4096, None))
    attempt("unmount its root", call("umount2", b"/", 2))
    attempt("change its root", call("chroot", b"/dir"))
    attempt("make a namespace", call("unshare", 0x00020000))
    attempt("look into another process", call("ptrace", 16, os.getppid(), None, None))
    return done


def taken_over(scene, server):
    """virtiofsd taken over, without its filter: what is outside is out of reach"""
    pid = server.worker()
    handle = handle_of(scene.outside / "canary")
    own = descriptors(pid)
    capabilities = int(status(pid, "CapEff"), 16)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become(pid, capabilities)
            text = "; ".join(try_to_get_out(handle, own))
        except BaseException as error:  # noqa: BLE001 told to the parent, which asserts
            text = f"could not be tried: {error!r}"
        os.write(writer, text.encode()[:4000])
        os._exit(0)
    os.close(writer)
    for fd in own.values():
        os.close(fd)
    with os.fdopen(reader, "rb") as file:
        done = file.read().decode()
    os.waitpid(child, 0)
    need(not done, f"who takes virtiofsd over can: {done}")


def begins_jailed(scene, program):
    """virtiofsd taken over before it shuts itself in: no other process, no device, nothing to trace"""
    scene.make()
    turned = spy.turn(program, scene.base, scene.base / "turned")
    with scene.serve(str(turned)) as server, server.fuse() as guest:
        guest.still_serves()
        report = spy.look_in(scene.share, 60)
        guest.still_serves()
        tried = {"start/processes", "start/dev-mem", "later/processes", "later/pidfd-getfd-of-peer"}
        need(tried <= set(report.attempts), f"not all was tried: {report.text}")
        need(not report.granted, f"who takes virtiofsd over early can: {report.granted}")
    scene.check()


def of_a_user(scene, program):
    """The same for a daemon that is not root, whose user has groups"""
    scene.make()
    programs = scene.lend(USER)
    within = ["setpriv", f"--reuid={USER}", f"--regid={USER}", f"--groups={USER},{USER + 1}",
              programs / "serve_share"]
    if subprocess.run([*within[:4], "test", "-x", program], check=False).returncode != 0:
        print(f"  {of_a_user.__doc__}: not tried, for {program} is not that user's to run", flush=True)
        return
    for read_only in (False, True):
        with scene.serve(program, read_only, within=within) as server, server.fuse() as guest:
            guest.still_serves()
            pid = server.worker()
            need(status(pid, "NSpid").split()[1:] == ["1"], "virtiofsd is not alone in there")
            need(os.stat(f"/proc/{pid}").st_uid == USER, "virtiofsd is not the user's")
            need(sorted(os.listdir(f"/proc/{pid}/root")) == sorted(os.listdir(scene.share)),
                 "virtiofsd's root is not the share")
            need(("ro" in mounts(pid)[0][1]) == read_only, f"the share is {mounts(pid)}")
    shutil.rmtree(scene.base / "run")
    print(f"  {of_a_user.__doc__}: served", flush=True)


def has_no_jail(scene, program):
    """A script around it has no jail, hence no aperture, and no device where one is required"""
    scene.make()
    script = scene.base / "script"
    script.write_text(f"#!/bin/sh\nexec {program} \"$@\"\n")
    script.chmod(0o755)
    with scene.serve(str(script), device=(forged.OPTIONS, "require")) as server:
        words = server.line()
        need("does not run in a jail" in words, f"it is served, or nobody says why it is not: {words}")
    with scene.serve(str(script), device=(forged.OPTIONS, "auto")) as server:
        front = forged.Ear(server.socket)
        forged.converse(front, [], "truth")
        told = pathlib.Path(server.socket).with_suffix(".ap").read_text()
        need(told.startswith("narrowed ") and "does not run in a jail" in told, f"the relay says: {told}")
        front.close()
    print(f"  {has_no_jail.__doc__}", flush=True)


def play(scene, program):
    has_no_jail(scene, program)
    of_a_user(scene, program)
    begins_jailed(scene, program)
    for read_only in (False, True):
        scene.make()
        with scene.serve(program, read_only) as server, server.fuse() as guest:
            guest.still_serves()
            what_it_may(scene, server, read_only)
            taken_over(scene, server)
            guest.still_serves()
        scene.check()
    print(f"  {what_it_may.__doc__}: no more than it needs\n  {taken_over.__doc__}\n"
          f"  {begins_jailed.__doc__}", flush=True)
