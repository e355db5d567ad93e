"""Removes what is no longer needed: old snapshots, work and facts that no kept snapshot uses, and remains of killed
runs."""

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assay.store.arrays import KeptArrays, kept_folders
from assay.store.catalog import FACTS, write_catalog
from assay.store.snapshots import Snapshot, list_snapshots
from assay.store.workspace import Workspace

LINKED = "caption_vectors"  # facts that name no content: alive while the work of a stage links to them
OF_CONTENTS = ("cut_contents", "picture_matches", "layout")  # facts that name contents, besides measurements


def collect_garbage(
    workspace: Workspace, keep: int, dry_run: bool = False, grace_hours: float = 24.0, days: float | None = None
) -> list[Path]:
    """Remove all but the newest `keep` snapshots and, with `days`, all that are younger than these; work and facts that
    none of the kept ones needs; and killed runs' leftovers.

    Work, facts and leftovers younger than `grace_hours` stay: a run that has not published yet may need them.

    Returns:
        What was, or with `dry_run` would be, removed.
    """
    kept, old = divide(list_snapshots(workspace), keep, days)
    before = time.time() - grace_hours * 3600
    doomed = [snapshot.path for snapshot in old]
    doomed += [path for path in _leftovers(workspace) if _is_older(path, before)]
    live_work = {name for snapshot in kept for name in snapshot.manifest.get("stages", [])}
    for folder in sorted(workspace.work.glob("*")):
        stamp = folder / "manifest.json"
        age_path = stamp if stamp.exists() else folder
        if folder.name not in live_work and _is_older(age_path, before):
            doomed.append(folder)
    doomed += [part for part in _dead_facts(workspace, kept) if _is_older(part, before)]
    if not dry_run:
        for path in doomed:
            remove(path)
        if kept:
            write_catalog(workspace)
    return doomed


def _is_older(path: Path, before: float) -> bool:
    """Whether something was last changed before a time. What is gone is not: workers may still write, readers pull."""
    try:
        return path.stat().st_mtime < before
    except FileNotFoundError:
        return False


def divide(snapshots: list[Snapshot], keep: int, days: float | None) -> tuple[list[Snapshot], list[Snapshot]]:
    """`(kept, old)` of some snapshots, oldest first: the newest `keep` and those younger than `days`; the others."""
    now = datetime.now(UTC)
    place = {snapshot.number: at for at, snapshot in enumerate(reversed(snapshots))}
    kept = [
        snapshot
        for snapshot in snapshots
        if place[snapshot.number] < keep or (days is not None and not _age(snapshot, now) >= days)
    ]
    return kept, [snapshot for snapshot in snapshots if snapshot not in kept]


def _age(snapshot: Snapshot, now: datetime) -> float:
    """Days since a snapshot was published."""
    return (now - made_at(snapshot)) / timedelta(days=1)


def made_at(snapshot: Snapshot) -> datetime:
    """When a snapshot was published; of one that does not say, when its folder was last changed."""
    try:
        return datetime.fromisoformat(str(snapshot.manifest["created_at"]))
    except (KeyError, ValueError):
        return datetime.fromtimestamp(snapshot.path.stat().st_mtime, UTC)


def _leftovers(workspace: Workspace) -> list[Path]:
    """What killed runs left beside finished things, under hidden names."""
    found = [path for pattern in (".removed-*", ".aside-*") for path in workspace.snapshots.glob(pattern)]
    found += [
        *workspace.root.glob(".catalog-*"),
        *workspace.root.glob(".check-*"),
        *workspace.root.glob(".pull-*"),
        *workspace.snapshots.glob(".pull-*"),
        *workspace.root.glob(".lock.json.*"),
        *workspace.root.glob(".nights.json.*"),
        *workspace.root.glob(".metrics.prom.*"),
        *workspace.root.glob("decisions/.part-*"),
        *(path for path in workspace.facts.rglob(".*") if path.is_file()),
        *(path for folder in kept_folders(workspace.facts) for path in KeptArrays(folder).remains()),
    ]
    return sorted(found)


def _dead_facts(workspace: Workspace, kept: list[Snapshot]) -> list[Path]:
    """Fact parts none of whose contents is in a kept snapshot, that nothing links to, or that cannot be read."""
    import polars as pl

    frames = [pl.scan_parquet(snapshot.parts("samples")).select("content_hash") for snapshot in kept]
    live = pl.concat(frames).unique().collect()["content_hash"] if frames else pl.Series([], dtype=pl.String)
    tables = [path for path in workspace.facts.glob("*") if FACTS.fullmatch(path.name) or path.name in OF_CONTENTS]
    parts = sorted(part for table in tables for part in table.glob("*/part-*.parquet"))
    dead = []
    for part in parts:
        try:
            hashes = pl.read_parquet(part, columns=["content_hash"])["content_hash"]
        except pl.exceptions.PolarsError:
            dead.append(part)  # damaged: no night believes it
            continue
        except FileNotFoundError:  # put aside by a run, which makes it anew
            continue
        if not hashes.str.slice(0, 32).is_in(live.implode()).any():  # of a pair: the first
            dead.append(part)
    unlinked = [part for part in workspace.facts.glob(f"{LINKED}/*/part-*.parquet") if part.stat().st_nlink == 1]
    return dead + sorted(unlinked)


def remove(path: Path) -> None:
    """Remove a file or folder so that no reader meets half of it: renamed out of sight first. It may be gone."""
    hidden = path.with_name(f".removed-{path.name}")
    try:
        os.rename(path, hidden)
    except FileNotFoundError:
        return
    if hidden.is_dir():
        shutil.rmtree(hidden)
    else:
        hidden.unlink()
