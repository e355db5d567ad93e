"""Power loss: the order in which a night makes things lasting is recorded, and replayed in part.

Two disks: a strict one, on which a file has the content of its last fsync and a folder the names of its last fsync; and
one that keeps every name at once and of contents only what was fsynced, the rest of a file being empty.
"""

import contextlib
import json
import os
import random
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hardening.common import Bench, Row, night, undisturbed, whole_after


def rows(bench: Bench) -> list[Row]:
    """Both disks, at moments spread over a night."""
    record, home = bench.base / "record", bench.base / "powered"
    shutil.rmtree(record, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    record.mkdir()
    outcome = night(bench.base, home, lambda: _record(record, home)).wait()
    if outcome.status != 0:
        raise RuntimeError(f"a night that is recorded fails: {outcome.said}")
    events = [json.loads(line) for line in (record / "events").read_text().splitlines()]
    return [
        _replayed(bench, events, record, strict, f"power loss, {words} ({len(events)} moments recorded)")
        for strict, words in ((True, "names and contents as of their fsync"), (False, "names kept, contents not"))
    ]


def _replayed(bench: Bench, events: list[dict[str, Any]], record: Path, strict: bool, kind: str) -> Row:
    row, left, wanted = Row(kind), bench.until(), undisturbed(bench.base)
    moments = list(range(1, len(events) + 1))
    random.Random(bench.seed).shuffle(moments)
    for moment in moments[: bench.times(len(moments))]:
        if left():
            home = bench.base / "after-the-loss"
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()
            _rebuild(events[:moment], record, home, strict)
            promised = strict and moment == len(events)
            kept = not promised or (home / "tiny/snapshots/v00000001/manifest.json").exists()
            problem = whole_after(bench.base, home, wanted) if kept else "what was published is gone"
            row.count(problem and f"after event {moment} ({events[moment - 1]['what']}): {problem}")
    return row


def _record(record: Path, home: Path) -> None:
    """Hook the calls, one at a time: at each, what was synced is kept, and the names that the home has then."""
    events = os.open(record / "events", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number, one_at_a_time = [0], threading.RLock()

    def tree() -> dict[str, tuple[int, bool]]:
        """Path below the home → inode, and whether it is a folder. Other threads may take files away meanwhile."""
        found: dict[str, tuple[int, bool]] = {}
        for path in [home, *sorted(home.rglob("*"))]:
            with contextlib.suppress(FileNotFoundError):
                status = path.lstat()
                found[str(path.relative_to(home))] = status.st_ino, stat.S_ISDIR(status.st_mode)
        return found

    def note(what: str, inode: int | None = None, content: str | None = None) -> None:
        event = {"what": what, "inode": inode, "content": content, "names": tree()}
        os.write(events, (json.dumps(event) + "\n").encode())

    real_fsync, real = os.fsync, {name: getattr(os, name) for name in ("rename", "replace")}

    def fsync(descriptor: int) -> None:
        with one_at_a_time:
            real_fsync(descriptor)
            synced(descriptor)

    def synced(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if not path.is_relative_to(home):
            return
        inode = os.fstat(os.dup(descriptor)).st_ino  # held open, so that no other file gets the number
        if path.is_dir():
            note("fsync of a folder", inode)
            return
        number[0] += 1
        kept = f"content-{number[0]}"
        shutil.copyfile(path, record / kept)
        note("fsync of a file", inode, kept)

    def hooked(name: str) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            with one_at_a_time:
                real[name](*arguments, **named)
                note(name)

        return call

    os.fsync = fsync  # type: ignore[assignment]
    os.rename, os.replace = hooked("rename"), hooked("replace")


def _rebuild(events: list[dict[str, Any]], record: Path, home: Path, strict: bool) -> None:
    """The home as such a disk has it after these events."""
    contents: dict[int, str] = {}
    folders: dict[int, dict[str, tuple[int, bool]]] = {}  # inode, as a folder keeps it under another name → its names
    for event in events:
        if event["content"] is not None:
            contents[event["inode"]] = event["content"]
        elif event["inode"] is not None:
            within = next(path for path, (inode, _) in event["names"].items() if inode == event["inode"])
            folders[event["inode"]] = _inside(event["names"], within)
    names = events[-1]["names"]
    made: dict[int, Path] = {}
    for path, (inode, is_folder) in _lasting(names, folders).items() if strict else names.items():
        place = home / path
        if is_folder:
            place.mkdir(parents=True, exist_ok=True)
            continue
        if inode in made:
            os.link(made[inode], place)
        elif inode in contents:
            shutil.copyfile(record / contents[inode], place)
        else:
            place.touch()
        made[inode] = place


def _inside(names: dict[str, tuple[int, bool]], folder: str) -> dict[str, tuple[int, bool]]:
    """The names in a folder itself, without its path."""
    return {Path(path).name: kept for path, kept in names.items() if path != "." and str(Path(path).parent) == folder}


def _lasting(
    names: dict[str, tuple[int, bool]], folders: dict[int, dict[str, tuple[int, bool]]]
) -> dict[str, tuple[int, bool]]:
    """Path → inode and whether it is a folder, of what can be reached from the home through names that last. The home
    and the dataset's folder do, as made long ago."""
    old = {path: kept for path, kept in _inside(names, ".").items() if kept[1]}
    found, waiting = {}, [(".", {**folders.get(names["."][0], {}), **old})]
    while waiting:
        above, inside = waiting.pop()
        for name, (inode, is_folder) in inside.items():
            path = str(Path(above) / name)
            found[path] = inode, is_folder
            if is_folder:
                waiting.append((path, folders.get(inode, {})))
    return found
