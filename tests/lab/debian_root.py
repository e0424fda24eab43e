"""A distribution's root as a folder, made once by mmdebstrap and kept under build/lab/roots: for
guests that are to run systemd, and for packages that are to be installed somewhere."""

import fcntl
import hashlib
import pathlib
import re
import shutil
import subprocess

from paths import LAB

ROOTS = LAB / "roots"
# What no test reads; leaves a third of the bytes out.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*", "/usr/share/info/*")


def why_not():
    """Why no root can be made here, or None if one can."""
    if not shutil.which("mmdebstrap"):
        return "mmdebstrap is missing, which makes a distribution's root"
    return None


def _suite():
    text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    return re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)[1]


def _archive(suite):
    """Where this machine gets that suite from, or None: then mmdebstrap knows a place."""
    lines = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)",
                            "Created-By: Packages"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    return next((line.split()[0] for line in lines if line.split()[1:] == [suite]), None)


def make(packages, suite=None, log=None):
    """The folder of a root with these packages and what they need: made now, or the one that was
    made before. Read it, copy it, but never write into it.

    packages: names; suite: another release than this machine's own; log: a file for mmdebstrap's
    words (default: beside the root). Raises subprocess.CalledProcessError if it cannot be made."""
    suite = suite or _suite()
    names = sorted(set(packages))
    key = hashlib.sha256(" ".join([suite, *names, *_LEFT_OUT]).encode()).hexdigest()[:12]
    root = ROOTS / f"{suite}-{key}"
    ROOTS.mkdir(parents=True, exist_ok=True)
    with open(ROOTS / f"{root.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two that want the same root, one makes it
        if not root.exists():
            _bootstrap(root, suite, names, log or ROOTS / f"{root.name}.log")
    return root


def _bootstrap(root, suite, names, log):
    half = root.with_name(root.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    archive = _archive(suite)
    with open(log, "wb") as out:
        subprocess.run(["mmdebstrap", "--variant=minbase", f"--include={','.join(names)}",
                        "--aptopt=Acquire::Languages none",
                        *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT),
                        suite, half, *([archive] if archive else [])],
                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=True)
    half.rename(root)


def make_ext4(root, path, label, mebibytes=1024):
    """An ext4 filesystem of that label in a sparse file, with what is in the folder root."""
    path.unlink(missing_ok=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", label, "-d", root, path,
                    f"{mebibytes}M"], stdout=subprocess.DEVNULL, check=True)
    return path
