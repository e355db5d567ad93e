"""Homes of every kind: read-only, without hard links, on another file system, of another account."""

import ctypes
import errno
import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.hardening.common import Bench, Child, Row, command, mounted, night, undisturbed, whole_after

NOBODY = 65534
KEEP_CAPABILITIES, AMBIENT, CAPABILITIES_3, READ_ALL = 8, 47, 0x20080522, 2  # of prctl and capset
EXFAT = "loop=$(losetup --find --show {image}) && mount.exfat-fuse $loop {folder} && losetup --detach $loop"
FATS = [("mkfs.exfat {image}", EXFAT), ("mkfs.vfat {image}", "mount -o loop {image} {folder}")]


def rows(bench: Bench) -> list[Row]:
    """Each place."""
    return [read_only(bench), without_links(bench), on_fat(bench), elsewhere(bench), not_root(bench)]


def read_only(bench: Bench) -> Row:
    """Another account reads all and writes nothing: reading works, a run is refused in words."""
    row = Row("a read-only home: verify, query, report, run")
    if os.geteuid() != 0:
        row.left_out = "this account cannot become another"
        return row
    home = bench.base / "shared"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(bench.base / "undisturbed", home)
    _open(bench.base)
    reading = [("verify", "tiny"), ("query", "tiny", "select count(*) from samples"), ("snapshots", "tiny")]
    for arguments in [*reading, ("report", "tiny"), ("verify", "--repair", "tiny"), ("run", bench.base / "spec.toml")]:
        work = functools.partial(command, *arguments, "--home", home)
        found = Child(work, _become_nobody).wait()
        wrong = found.status != 0 if arguments in reading else found.status == 0 and arguments[0] == "run"
        said = f"{arguments[0]} ended with {found.status}: {found.said[-300:]}"
        row.count(found.problem or (said if wrong else None))
    return row


def without_links(bench: Bench) -> Row:
    """`os.link` is refused."""
    return _nights(bench, Row("a home without hard links"), bench.base / "unlinked", _no_links)


def on_fat(bench: Bench) -> Row:
    """A file system without links, modes and case: exFAT through FUSE, or vfat by the kernel."""
    row, image = Row("a home on exFAT or vfat (loop mount)"), bench.base / "fat.image"
    folder = bench.base / "fat"
    folder.mkdir(exist_ok=True)
    for make, mount in FATS:
        with image.open("wb") as stream:
            stream.truncate(64 * 2**20)
        words = {"image": f"'{image}'", "folder": f"'{folder}'"}
        if os.geteuid() == 0 and os.system(f"({make} && {mount}) >/dev/null 2>&1".format(**words)) == 0:
            try:
                return _nights(bench, row, folder / "home")
            finally:
                os.system(f"umount '{folder}'")
    row.left_out = "this account may mount neither, or exfatprogs with exfat-fuse and mkfs.vfat are not here"
    return row


def elsewhere(bench: Bench) -> Row:
    """The temporary folder is on another file system than the home."""
    row = Row("a home on another file system than the temporary folder")
    try:
        with mounted(bench.base / "memory", 200 * 2**20) as folder:
            return _nights(bench, row, folder / "home")
    except PermissionError as error:
        row.left_out = str(error)
        return row


def not_root(bench: Bench) -> Row:
    """An account without rights of its own."""
    row = Row("written by a user who is not root")
    if os.geteuid() != 0:
        row.left_out = "all of this was run by a user who is not root"
        return row
    _open(bench.base)
    folder = bench.base / "of-nobody"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return _nights(bench, row, folder / "home", functools.partial(_become_nobody, folder))


def _nights(bench: Bench, row: Row, home: Path, before: Callable[[], object] = lambda: None) -> Row:
    """First nights there, each published, and a night after it."""
    left, wanted = bench.until(), undisturbed(bench.base)
    for _ in range(bench.times(5)):
        if left():
            shutil.rmtree(home, ignore_errors=True)
            first = night(bench.base, home, before).wait()
            failed = f"ended with {first.status}: {first.said[-400:]}" if first.status != 0 else None
            row.count(first.problem or failed or whole_after(bench.base, home, wanted))
    return row


def _no_links() -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    os.link = refuse  # type: ignore[assignment]


def _become_nobody(folder: Path | None = None, reads_all: bool = True) -> None:
    """Another account, without any right but, where asked, to read: the interpreter may lie in root's own folder."""
    system = ctypes.CDLL(None, use_errno=True)
    os.setgroups([])
    os.setgid(NOBODY)
    system.prctl(KEEP_CAPABILITIES, int(reads_all))
    os.setuid(NOBODY)
    if reads_all:
        head, rights = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0), 1 << READ_ALL
        system.capset(head, (ctypes.c_uint32 * 6)(rights, rights, rights, 0, 0, 0))
        system.prctl(AMBIENT, 2, READ_ALL, 0, 0)  # raise: for what it starts, too
    os.environ["HOME"] = str(folder or "/nonexistent")
    if folder is not None:
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = None


def _open(base: Path) -> None:
    """Let every account read what is there."""
    for path in [base, *base.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
