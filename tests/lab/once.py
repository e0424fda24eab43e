"""`guestlink run` as an ordinary user has it: installed, with a home of its own and nothing else."""

import os
import shutil
import subprocess

import paths
from process import children_of
from show import need
from wait import wait_for

# Nobody's, and of this scenario alone: Once.left() finds what a run left behind by its user, and others
# run beside this one.
UID = 100_000 + os.getpid()


def _link(source, target):
    """A file's second name if that can be, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class Once:
    def __init__(self, lab, kind="cloud"):
        """kind: of the lab's kernels; it is put where that user can read it."""
        self.lab = lab
        self.folder = lab.sockets / "once"
        self.home = self.folder / "home"
        self.runtime = self.folder / "r"
        self.kernel = self._take_kernel(kind)
        self.virtiofsd = []  # the option for it
        self.others = set()  # pids of that user's that are no run's
        for folder in (self.home, self.runtime):
            folder.mkdir(mode=0o700)
            os.chown(folder, UID, UID)
        # Its programs, as they are installed.
        subprocess.run(["cmake", "--install", paths.BUILD, "--prefix", self.folder / "usr"],
                       stdout=subprocess.DEVNULL, check=True)
        self.program = self.folder / "usr/bin/guestlink"
        for folder in (lab.sockets, self.folder):
            folder.chmod(0o755)

    def _take_kernel(self, kind):
        target = self.folder / "kernel"
        source = paths.LAB / "kernel" / kind
        for part in ("boot", "lib"):
            shutil.copytree(source / part, target / part, copy_function=_link,
                            ignore=shutil.ignore_patterns("build", "source"))
        return target

    def use_rust(self):
        """Has shares served by the virtiofsd in Rust from now on, where another one is the usual one.
        @return False: that one is not to be had here"""
        source, target = paths.LAB / "virtiofsd", self.folder / "virtiofsd"
        if os.access("/usr/libexec/virtiofsd", os.X_OK):
            return True
        if not (source / "virtiofsd").exists():
            return False
        shutil.copytree(source / "usr", target / "usr", symlinks=True, copy_function=_link)
        library = next((target / "usr/lib").rglob("libc.so.6")).parent
        (loader,) = library.glob("ld-linux*.so.*")
        subprocess.run(["patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", library,
                        "--output", target / "virtiofsd", target / "usr/libexec/virtiofsd"], check=True)
        (target / "virtiofsd").chmod(0o755)
        self.virtiofsd = ["--virtiofsd", target / "virtiofsd"]
        return True

    def share(self, name="share"):
        """A folder of that user's with a file `from-host`."""
        folder = self.home / name
        folder.mkdir()
        (folder / "from-host").write_text("hello from the host\n")
        subprocess.run(["chown", "-R", f"{UID}:{UID}", folder], check=True)
        return folder

    def words(self, *words):
        return [str(word) for word in (self.program, "run", "--accel", "tcg", "--kernel", self.kernel,
                                       *self.virtiofsd, *words)]

    def environment(self):
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(self.runtime),
                "GIVEN": "from my environment"}

    def start(self, *words, **more):
        """Starts it in a session of its own, and does not wait."""
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        settings.update(more)
        return subprocess.Popen(self.words(*words), user=UID, group=UID, extra_groups=[UID], cwd=self.home,
                                env=self.environment(), start_new_session=True, **settings)

    def run(self, *words, given=None):
        """Runs it to its end: its status, standard output and error."""
        process = self.start(*words, stdin=subprocess.DEVNULL if given is None else subprocess.PIPE)
        out, error = process.communicate(given, self.lab.seconds(60))
        self.need_nothing_left()
        return process.returncode, out.decode(), error.decode()

    def need(self, what, got, status, out=None, error=""):
        """Whether a run ended so: its status, its whole output, and a part of its standard error."""
        need(got[0] == status and (out is None or got[1] == out) and error in got[2],
             f"{what}: expected {status}, {out!r}, {error!r}; got {got}")
        self.lab.say(what)

    def left(self):
        """Processes and folders of runs."""
        found = [str(path) for path in self.runtime.iterdir()]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if int(pid) in self.others:
                continue
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    words = file.read()
                if os.stat(f"/proc/{pid}").st_uid == UID or str(self.folder) in words:
                    found.append(f"{pid}: {words}")
            except OSError:
                continue
        return found

    def need_nothing_left(self):
        wait_for("the end of all processes and folders of a run", self.lab.seconds(20),
                 lambda: not self.left() or None)

    def supervisor(self, process):
        """The pid of what keeps a run's processes."""
        (pid,) = wait_for("the supervisor", self.lab.seconds(10), lambda: children_of(process.pid))
        return pid
