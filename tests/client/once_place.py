"""A place for `guestlink run`: the program and its daemon, and all else that it takes played (once_qemu)."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from host import WAIT, wait_until

RELEASE = "6.1.0-played"
HERE = pathlib.Path(__file__).resolve().parent

# Writes its words into the image; each call is noted.
MAKER = r"""#!/bin/sh
for last; do :; done
echo made >>"$HOME/made"
[ ! -e "$HOME/broken" ] || exit 3
[ ! -e "$HOME/slow" ] || exec sleep 60
printf '%s\n' "$TMPDIR" "$@" >"$last"
"""
DEPMOD = r"""#!/bin/sh
echo "$1 $3" >>"$HOME/depmod"
ls "$2/lib/modules/$3" >>"$HOME/depmod"
: >"$2/lib/modules/$3/modules.dep"
"""


class Place:
    """A user's home, with programs beside it."""

    def __init__(self, programs, busybox):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="once-"))
        for name in ("hostd", "init", "bin", "run", "share"):
            (self.folder / name).mkdir()
        built = pathlib.Path(programs).resolve()
        shutil.copy(built / "guestlink", self.folder / "hostd")
        (self.folder / "init/guestlink-hostd").symlink_to(built / "guestlink-hostd")
        for name in ("init/guestlink-init", "init/guestlink-enter", "bin/busybox"):
            shutil.copy(busybox, self.folder / name)
        self.script("init/guestlink-mkinitramfs", MAKER)
        self.script("bin/depmod", DEPMOD)
        self.kernel()
        self.environment = {**os.environ, "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder / "run"),
                            "PATH": f"{self.folder}/bin:{os.environ['PATH']}", "PLAYED": str(self.folder / "played")}
        for name in ("XDG_CACHE_HOME", "TMPDIR", "LISTEN_FDS", "LISTEN_PID"):
            self.environment.pop(name, None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def script(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def kernel(self, name="kernel/boot/vmlinuz-6.1", modules="kernel/lib/modules", release=RELEASE, dep=True):
        """What is enough of a bzImage, and its modules. @return the kernel's path"""
        path, image = self.folder / name, bytearray(0x400)
        image[0x202:0x206], image[0x20E:0x210] = b"HdrS", (0x102).to_bytes(2, "little")
        text = f"{release} (somebody) #1\0".encode()
        image[0x302:0x302 + len(text)] = text
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image)
        (self.folder / modules / release / "kernel").mkdir(parents=True, exist_ok=True)
        if dep:
            (self.folder / modules / release / "modules.dep").touch()
        return path

    def start(self, *words, **more):
        more = {"stdin": subprocess.DEVNULL, "env": self.environment, **more}
        usual = [] if "--kernel" in words else ["--kernel", self.folder / "kernel"]
        usual += [] if "--qemu" in words else ["--qemu", HERE / "once_qemu"]
        return subprocess.Popen([self.folder / "hostd/guestlink", "run", *usual, *words], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, cwd=self.folder, text=True, **more)

    def run(self, *words, given=None, **environment):
        """@return its status, what it said and what it complained"""
        stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
        process = self.start(*words, stdin=stdin, env={**self.environment, **environment})
        out, error = process.communicate(given, WAIT)
        return process.returncode, out, error

    def noted(self, key):
        """What the played QEMU and guest noted under that key."""
        if not (self.folder / "played").exists():
            return []
        lines = (self.folder / "played").read_text().splitlines()
        return [note[key] for note in map(json.loads, lines) if key in note]

    def wait_noted(self, key):
        return wait_until(key, lambda: self.noted(key))[-1]

    def left(self):
        """What runs left in the folder for them."""
        return sorted(path.name for path in (self.folder / "run").iterdir())

    def processes(self, words):
        """Those of this place with such words in their command line."""
        found = []
        for path in pathlib.Path("/proc").glob("[1-9]*/cmdline"):
            try:
                line = path.read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(self.folder) in line and words in line:
                found.append(int(path.parent.name))
        return found

    def kill(self, words):
        for pid in self.processes(words):
            os.kill(pid, signal.SIGKILL)
