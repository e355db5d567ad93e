"""The samples of a folder that stand inside of its files: each carrier's members in the place of the carrier."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from assay.contracts.errors import UnreadableSample
from assay.contracts.splits import split_kind
from assay.sources.carriers import ARCHIVES, MARK, PACKED, ROWS, Index, carrier_of, ending
from assay.sources.files import UNLIMITED, Entry, Source
from assay.sources.left_out import is_litter

STATE = "state.json"  # of a `save_to_disk` folder: which of its Arrow files count


@dataclass
class Carried:
    """What carriers hold: the entries of their members, the labels that they give, and carriers that are damaged."""

    entries: list[Entry] = field(default_factory=list)
    problems: list[Entry] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    n_carriers: int = 0

    def notes(self) -> list[tuple[str, float, str]]:
        """Rows of `dataset_metrics`."""
        if not self.n_carriers:
            return []
        labels = f", of which {len(self.labels):,} are labelled there" if self.labels else ""
        words = f"files that hold samples, opened: {len(self.entries):,} members{labels}"
        return [("source_carriers", float(self.n_carriers), words)]


def is_carrier(uri: str, with_rows: bool) -> bool:
    """Whether a file's name says that it holds samples. `with_rows`: Parquet and Arrow count as well."""
    kind = ending(uri)
    return kind in ARCHIVES or uri.lower().endswith(PACKED) or (with_rows and kind in ROWS)


def open_carriers(source: Source, carriers: Sequence[Entry]) -> Carried:
    """The members of some carriers, in their order; what cannot be read is an entry with the reason."""
    found = Carried()
    states: dict[str, set[str] | None] = {}
    listed = {entry.uri for entry in carriers}
    for carrier in carriers:
        folder, _, name = carrier.uri.rpartition("/")
        if ending(name) == "arrow":
            if folder not in states:
                states[folder] = _data_files(source, folder)
                found.problems.extend(_absent(states[folder], folder, listed))
            if states[folder] is not None and name not in (states[folder] or ()):
                continue  # a cache of `datasets`, which is no part of the dataset
        found.n_carriers += 1
        _open(source, carrier, found)
    return found


def _open(source: Source, carrier: Entry, found: Carried) -> None:
    if carrier.uri.lower().endswith(PACKED):
        detail = "only a tar packed by gzip has members that can be reached; unpack it, or pack it by gzip"
        found.problems.append(carrier._replace(size_bytes=0, reason="compressed_archive", detail=detail))
        return
    try:
        stated = source.stat_file(carrier.uri, UNLIMITED)
        index: Index = source.index(carrier.uri)
    except UnreadableSample as refusal:
        found.problems.append(carrier._replace(reason=refusal.reason, detail=refusal.detail))
        return
    for member in index.members:
        if not member.reason and any(is_litter(step) for step in member.name.split("/")):
            continue
        uri = f"{carrier.uri}{MARK}{member.name}"
        entry = stated._replace(uri=uri, size_bytes=member.size_bytes, reason=member.reason, detail=member.detail)
        found.entries.append(entry)
    found.labels |= {f"{carrier.uri}{MARK}{name}": label for name, label in index.labels.items()}
    if index.broken:
        found.problems.append(stated._replace(size_bytes=0, reason="cut_off", detail=index.broken))


def _data_files(source: Source, folder: str) -> set[str] | None:
    """The files that `state.json` names; None without one that can be read."""
    try:
        state = json.loads(source.read(f"{folder}/{STATE}" if folder else STATE))
        return {str(file["filename"]) for file in state["_data_files"]}
    except (UnreadableSample, ValueError, KeyError, TypeError, RecursionError):
        return None


def _absent(names: set[str] | None, folder: str, listed: set[str]) -> Iterator[Entry]:
    """An entry for each file that should be there and is not."""
    for name in sorted(names or ()):
        uri = f"{folder}/{name}" if folder else name
        if uri not in listed:
            yield Entry(uri, 0, -1, "not_found", f"{STATE} names this file, and it is not there")


def layout_paths(uris: pl.Series) -> pl.Series:
    """The paths that folders' meaning is read from: a member's folders stand below those of its carrier, or below the
    split that the carrier's name begins with (`train-00000-of-00002.parquet`, `val-003.tar`)."""
    return pl.Series(uris.name, [_layout_path(uri) for uri in uris], dtype=pl.String)


def _layout_path(uri: str) -> str:
    inside = carrier_of(uri)
    if inside is None:
        return uri
    folder, _, name = inside[0].rpartition("/")
    word = name.partition(".")[0].replace("_", "-").split("-")[0]
    steps = [folder, word if split_kind(word) else "", inside[1]]
    if split_kind(word) and folder.rpartition("/")[2] == word:
        steps[1] = ""
    return "/".join(step for step in steps if step)
