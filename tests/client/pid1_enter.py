"""guestlink-enter, started by PID 1 as `guestlink run --root` has it (pid1_place.py)."""

import os

from cases_wire import check
from pid1_place import Machine

# A root of somebody's, in /guest; and name servers, which PID 1 wrote.
ROOT = r"""
cp "$folder/guestlink-enter" "$root/enter"
mkdir "$root/guest"
mount --bind "$root/guest" "$root/guest" # as a share is one
new_root "$root/guest"
rmdir "$root/guest/run" "$root/guest/sys"
echo guest >"$root/guest/name"
echo "nameserver 192.0.2.53" >"$root/etc/resolv.conf"
echo "root:x:0:0:root:/home/root:/bin/sh" >"$root/guest/etc/passwd"
mkdir "$root/shares/data" "$root/shares/data/below"
mount -t tmpfs below "$root/shares/data/below"
echo words >"$root/shares/data/below/file"
"""
FILE = 'echo "nameserver 198.51.100.1" >"$root/guest/etc/resolv.conf"\n'
LINK = 'ln -s ../run/nothing "$root/guest/etc/resolv.conf"\n'


# What is mounted in a root does not show through an overlay.
PROGRAMS = [word for name in ("/usr", "/bin", "/sbin", "/lib", "/lib64")
            if os.path.isdir(name) and not os.path.islink(name) for word in ("--bind", name)]


def place(init, before=""):
    return Machine(init, before=ROOT + before, programs=[os.environ["PLACE_ENTER"]])


def enter(machine, *words):
    """@return the status, and what was said and complained"""
    machine.number = getattr(machine, "number", 0) + 1
    error, text = machine.run(machine.number, "/enter", *words)
    check(error == 0, f"{words}: {error} {text}")
    return machine.exit_of(machine.number)["status"], *machine.output_of(machine.number)


def a_command_enters_a_root(init):
    """With the guest's kernel and name servers; what it writes is in that root."""
    with place(init, FILE) as machine:
        machine.welcome()
        status, out, err = enter(machine, "/guest", "sh", "-c",
                                 "pwd; cat /name /etc/resolv.conf; readlink /proc/self/root; ls -d /sys/kernel; "
                                 "cat /dev/null; stat -f -c %T /run; echo more >/tmp/written; exit 9")
        check((status, err) == (9, "") and out.splitlines() ==
              ["/", "guest", "nameserver 192.0.2.53", "/", "/sys/kernel", "tmpfs"], f"{status} {out} {err}")
        machine.run(99, "sh", "-c", "cat /guest/tmp/written /guest/etc/resolv.conf; grep -c ' /guest/[psdre]' "
                                    "/proc/self/mountinfo")
        check(machine.output_of(99)[0] == "more\nnameserver 198.51.100.1\n0\n", "what is left of it")
        status, out, err = enter(machine, "--directory", "/etc", "/guest", "pwd")
        check((status, out) == (0, "/etc\n"), f"{status} {out} {err}")


def name_servers_are_put_into_files_alone(init):
    """Into no link of a root that is written to, and no root gets a file."""
    for before, left in ((LINK, "../run/nothing"), ("", "")):
        with place(init, before) as machine:
            machine.welcome()
            status, out, err = enter(machine, "/guest", "sh", "-c",
                                     "cat /etc/resolv.conf 2>&1; readlink /etc/resolv.conf; true")
            check(status == 0 and "No such file" in out and left in out, f"{before}: {status} {out} {err}")
            status, out, err = enter(machine, "--overlay", *PROGRAMS, "/guest", "cat", "/etc/resolv.conf")
            if "overlay (a module" in err:
                print("SKIP name_servers_are_put_into_files_alone: no overlay here")
                return
            check((status, out) == (0, "nameserver 192.0.2.53\n"), f"{before}: {status} {out} {err}")
            machine.run(99, "sh", "-c", ": >/etc/resolv.conf; readlink /guest/etc/resolv.conf; ls /guest/etc")
            check(machine.output_of(99)[0].split() == ([left] if left else []) + ["passwd"] +
                  (["resolv.conf"] if left else []), "the root was written to")
            status, out, err = enter(machine, "--overlay", *PROGRAMS, "/guest", "ls", "/etc")
            check(out.split() == ["passwd"] + (["resolv.conf"] if left else []), "a file of no name servers")


def an_overlay_takes_what_is_written(init):
    with place(init) as machine:
        machine.welcome()
        status, out, err = enter(machine, "--overlay", *PROGRAMS, "/guest", "sh", "-c",
                                 "cat /name; echo other >/name; cat /name; mkdir /new; ls -d /sys/kernel /run")
        if "overlay (a module" in err:
            print("SKIP an_overlay_takes_what_is_written: no overlay here")
            return
        check((status, out) == (0, "guest\nother\n/run\n/sys/kernel\n"), f"{status} {out} {err}")
        machine.run(99, "sh", "-c", "cat /guest/name; ls -d /guest/new /guest/run; grep -c .enter /proc/self/mountinfo")
        check(machine.output_of(99)[0] == "guest\n0\n", "the root was written to")


def shares_are_at_the_same_place(init):
    """Each, with what is mounted below; their folders are made."""
    with place(init) as machine:
        machine.welcome()
        status, out, err = enter(machine, "--bind", "/shares/data", "--bind", "/tmp", "/guest", "sh", "-c",
                                 "cat /shares/data/below/file; echo back >/shares/data/new; stat -f -c %T /tmp")
        check((status, out, err) == (0, "words\ntmpfs\n", ""), f"{status} {out} {err}")
        machine.run(99, "cat", "/shares/data/new")
        check(machine.output_of(99)[0] == "back\n", "it is another folder")
        binds = [word for number in range(65) for word in ("--bind", "/tmp")]
        check(enter(machine, *binds[2:], "/guest", "true")[0] == 0, "64 of them")
        check(enter(machine, *binds, "/guest", "true")[0] == 125, "65 of them")


def what_cannot_be_entered_is_told(init):
    """As `guestlink run` tells it: 125, 126, 127."""
    with place(init) as machine:
        machine.welcome()
        for words, status, text in (
                (["/guest"], 125, "usage: "), (["--other", "/guest", "true"], 125, "usage: "),
                (["/nowhere", "true"], 125, 'cannot create the folder "/nowhere/proc": No such file'),
                (["--bind", "/nowhere", "/guest", "true"], 125, 'cannot show "/nowhere": No such file'),
                (["--directory", "/no", "/guest", "true"], 125, 'cannot enter the directory "/no": No such'),
                (["--user", "nobody", "/guest", "true"], 125, 'cannot become the user "nobody": No such file'),
                (["--overlay", "/nowhere", "true"], 125, '"/nowhere": No such file'),
                (["/guest", "nosuch"], 127, "nosuch: No such file"), (["/guest", "/name"], 126, "/name: Permission"),
                (["/guest", "sh", "-c", "exit 3"], 3, "")):
            got = enter(machine, *words)
            check(got[0] == status and text in got[2], f"{words}: {got}")


CASES = [a_command_enters_a_root, name_servers_are_put_into_files_alone, an_overlay_takes_what_is_written,
         shares_are_at_the_same_place, what_cannot_be_entered_is_told]
