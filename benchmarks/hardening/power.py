"""Power loss: the order in which a night makes things lasting is recorded, and replayed in part.

Two disks: a strict one, on which a file has the content of its last fsync and a folder the names of its last fsync; and
one that keeps every name at once and of contents only what was fsynced, the rest of a file being empty.
"""

import json
import os
import random
import shutil
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
    night(bench.base, home, lambda: _record(record, home)).wait()
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
    """Hook the calls: at each, what was synced is kept, and at each the names that the home has then."""
    events = os.open(record / "events", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = [0]

    def tree() -> dict[str, int | None]:
        """Path below the home → inode of a file, None for a folder."""
        return {
            str(path.relative_to(home)): None if path.is_dir() else path.lstat().st_ino
            for path in sorted(home.rglob("*"))
            if os.path.lexists(path)
        }

    def note(what: str, inode: int | None = None, folder: str | None = None, content: str | None = None) -> None:
        event = {"what": what, "inode": inode, "folder": folder, "content": content, "names": tree()}
        os.write(events, (json.dumps(event) + "\n").encode())

    real_fsync, real = os.fsync, {name: getattr(os, name) for name in ("rename", "replace")}

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if not path.is_relative_to(home):
            return
        if path.is_dir():
            note("fsync of a folder", folder=str(path.relative_to(home)))
            return
        number[0] += 1
        kept = f"content-{number[0]}"
        shutil.copyfile(path, record / kept)
        note("fsync of a file", inode=os.fstat(descriptor).st_ino, content=kept)

    def hooked(name: str) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            real[name](*arguments, **named)
            note(name)

        return call

    os.fsync = fsync  # type: ignore[assignment]
    os.rename, os.replace = hooked("rename"), hooked("replace")


def _rebuild(events: list[dict[str, Any]], record: Path, home: Path, strict: bool) -> None:
    """The home as such a disk has it after these events."""
    contents: dict[int, str] = {}
    folders: dict[str, dict[str, int | None]] = {}  # a folder → the names in it that last
    for event in events:
        if event["inode"] is not None:
            contents[event["inode"]] = event["content"]
        if event["folder"] is not None:
            inside = event["folder"]
            names = event["names"].items()
            folders[inside] = {path: inode for path, inode in names if str(Path(path).parent) == inside}
    names: dict[str, int | None] = {}
    if strict:
        waiting = [".", *[path for path, inode in events[-1]["names"].items() if inode is None and "/" not in path]]
        while waiting:  # the home and the dataset's folder are taken to last, as made long ago
            for path, inode in folders.get(waiting.pop(), {}).items():
                names[path] = inode
                if inode is None:
                    waiting.append(path)
    else:
        names = events[-1]["names"]
    made: dict[int, Path] = {}
    for path, inode in sorted(names.items()):
        place = home / path
        if inode is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if inode in made:
            os.link(made[inode], place)
        elif inode in contents:
            shutil.copyfile(record / contents[inode], place)
        else:
            place.touch()
        made[inode] = place
