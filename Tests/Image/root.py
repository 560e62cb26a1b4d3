"""A minimal Debian as the image's runtime stage has it, and programs in it as a pod would run them.

debootstrap makes the base, Scripts/image/runtime-packages puts in what the Dockerfile puts in. A program runs in a mount and a
PID namespace of its own: the root is read-only, it is nobody, has no rights and can get none, and only the volume is writable.
"""
from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
BUILT = PROJECT / ".build" / "image"
SUDO = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]

# Becomes process 1 of the program: it mounts, and then is replaced by the program. Arguments: the root, the volume, the
# configuration, the user, and the command with its environment.
ENTER = """
set -eu
root=$1 volume=$2 configuration=$3 user=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o nosuid,noexec,mode=755 dev "$root/dev"
for device in null zero full random urandom; do
    touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root/dev"
mount --bind "$volume" "$root/var/lib/b24bridge"
mount --bind "$configuration" "$root/etc/b24bridge"
mount -o remount,bind,ro "$root/etc/b24bridge"
mount -o remount,bind,ro "$root"
cd /
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --clear-groups --bounding-set=-all --inh-caps=-all \\
    --ambient-caps=-all --no-new-privs -- env -i "$@"
"""


class Missing(Exception):
    """What this machine lacks for the proof."""


def check_rights() -> None:
    if SUDO and subprocess.run([*SUDO, "true"], capture_output=True).returncode != 0:
        raise Missing("it needs root, or sudo that asks for no password")
    if not shutil.which("debootstrap", path=os.environ["PATH"] + ":/usr/sbin"):
        raise Missing("debootstrap is missing and cannot be installed")
    if subprocess.run([*SUDO, "unshare", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt"],
                      capture_output=True).returncode != 0:
        raise Missing("this machine lets nobody mount, not even root")


class Root:
    def __init__(self, suite: str, user: str) -> None:
        self.user = user.split(":")[0]
        self.folder = Path(tempfile.mkdtemp(prefix="b24-image-"))
        self.path = self.folder / "root"
        try:
            self.unpack(suite)
        except BaseException:
            self.remove()
            raise

    def unpack(self, suite: str) -> None:
        base = BUILT / f"{suite}.tar"
        if not base.exists():
            print(f"debootstrap {suite}, which is kept in {base.relative_to(PROJECT)}", flush=True)
            BUILT.mkdir(parents=True, exist_ok=True)
            made = self.folder / "base"
            path = {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
            done = subprocess.run([*SUDO, "env", f"PATH={path['PATH']}", "debootstrap", "--variant=minbase", suite, str(made)],
                                  text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if done.returncode != 0:
                raise Missing("debootstrap failed: " + done.stdout[-2000:])
            partial = base.with_suffix(".partial")
            privileged("tar", "-C", str(made), "--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./sys/*",
                       "--exclude=./var/cache/apt/archives/*.deb", "-cf", str(partial), ".")
            privileged("rm", "-rf", "--one-file-system", str(made))
            partial.rename(base)
        self.path.mkdir()
        privileged("tar", "-C", str(self.path), "-xpf", str(base))

    def install(self, program: Path, script: Path) -> None:
        """What the runtime stage of the Dockerfile does."""
        for folder in ("etc/b24bridge", "var/lib/b24bridge"):
            privileged("mkdir", "-p", str(self.path / folder))
        privileged("cp", str(script), str(self.path / "mnt"))
        privileged("cp", "/etc/resolv.conf", str(self.path / "etc"))
        # The steps of a build have devices, and nothing of the machine beside them.
        privileged("unshare", "--mount", "sh", "-euc", 'mount -t tmpfs dev "$1/dev"; mount -t proc proc "$1/proc"; '
                   'for d in null zero random urandom; do touch "$1/dev/$d"; mount --bind /dev/$d "$1/dev/$d"; done; '
                   'exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "/mnt/$2"', "sh", str(self.path), script.name)
        privileged("rm", str(self.path / "mnt" / script.name))
        for file in ("b24bridge", "swift-backtrace"):
            privileged("cp", str(program / file), str(self.path / "usr/local/bin"))

    def start(self, command: list[str], volume: Path, configuration: Path, environment: dict[str, str] | None = None,
              **options) -> subprocess.Popen:
        variables = [f"{k}={v}" for k, v in ({"PATH": "/usr/local/bin:/usr/bin:/bin"} | (environment or {})).items()]
        return subprocess.Popen(
            [*SUDO, "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", ENTER, "sh", str(self.path),
             str(volume), str(configuration), self.user, *variables, *command], text=True, **options)

    def run(self, command: list[str], volume: Path, configuration: Path) -> subprocess.CompletedProcess:
        process = self.start(command, volume, configuration, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, errors = process.communicate(timeout=180)
        return subprocess.CompletedProcess(command, process.returncode, out, errors)

    def outside(self, *command: str) -> str:
        """A command in the root without any of that, for looking."""
        return subprocess.run([*SUDO, "chroot", str(self.path), *command], text=True, check=True, stdout=subprocess.PIPE).stdout

    def remove(self) -> None:
        subprocess.run([*SUDO, "rm", "-rf", "--one-file-system", str(self.folder)], check=True)


def privileged(*command: str) -> None:
    done = subprocess.run([*SUDO, *command], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}: {done.stdout[-3000:]}")


def first_process(started: subprocess.Popen) -> int:
    """The program that `start` runs, as the machine counts it: the last of the line from it down."""
    pid = started.pid
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return pid
        pid = int(children[0])


def tell(pid: int, what: signal.Signals) -> None:
    privileged("kill", f"-{what.name.removeprefix('SIG')}", str(pid))
