"""Files that hold many samples: tar (packed by gzip or not), zip, and datasets of Hugging Face (Arrow, Parquet).

A member is `carrier#member`, such as `shard-000.tar#cat/0001.jpg` or `train.parquet#17`. Nothing is ever unpacked to
disk. A carrier is opened once and its index kept, in each process, until others take its place.
"""

import atexit
import io
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from cachetools import LRUCache

from assay.contracts.errors import UnreadableSample

MARK = "#"
ARCHIVES = frozenset({"tar", "tgz", "zip"})
ROWS = frozenset({"parquet", "pq", "arrow"})
PACKED = (".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")  # without random access
MOST_MEMBERS = 5_000_000
BOMB_RATIO, BOMB_BYTES = 200, 2**30  # unpacked ÷ packed, and unpacked bytes, from which both together are a bomb
KEPT = 8  # carriers whose index a process keeps


@dataclass(frozen=True)
class Member:
    """One member of a carrier. `reason` is empty, or says why it cannot be read."""

    name: str
    size_bytes: int
    reason: str = ""
    detail: str = ""


@dataclass
class Index:
    """What a carrier holds.

    Attributes:
        members: in the carrier's order, refused ones too.
        read: the bytes of a member that is not refused; raises `UnreadableSample`.
        labels: of members that the carrier itself labels.
        broken: why not all of the carrier can be listed; empty where all can.
    """

    members: list[Member]
    read: Callable[[str], bytes]
    labels: Mapping[str, str] = field(default_factory=dict)
    broken: str = ""

    def __post_init__(self) -> None:
        self.by_name = {member.name: member for member in reversed(self.members)}

    def open(self, name: str) -> BinaryIO:
        """A member's bytes. Raises `UnreadableSample`."""
        self.find(name)
        return io.BytesIO(self.read(name))

    def find(self, name: str) -> Member:
        """A member that can be read. Raises `UnreadableSample`."""
        member = self.by_name.get(name)
        if member is None:
            raise UnreadableSample("not_found", self.broken or "no such member")
        if member.reason:
            raise UnreadableSample(member.reason, member.detail)
        return member


def carrier_of(uri: str) -> tuple[str, str] | None:
    """Carrier and member of a uri; None for a plain file."""
    start = uri.find(MARK)
    while start >= 0:
        if ending(uri[:start]) in ARCHIVES | ROWS and uri[start + 1 :]:
            return uri[:start], uri[start + 1 :]
        start = uri.find(MARK, start + 1)
    return None


def ending(uri: str) -> str:
    """A file name's ending in lower case, without its dot; `tgz` of a `.tar.gz`."""
    name = uri.rpartition("/")[2]
    if name.lower().endswith(".tar.gz"):
        return "tgz"
    return name.rpartition(".")[2].lower() if "." in name else ""


def read_index(open_file: Callable[[], BinaryIO], name: str, most_bytes: int) -> Index:
    """The index of one carrier.

    Args:
        open_file: opens the carrier anew.
        most_bytes: of a member; larger ones are refused.

    Raises:
        UnreadableSample: it is no such file.
    """
    kind = ending(name)
    if kind == "tar":
        from assay.sources.tar_carrier import tar_index

        return tar_index(open_file, most_bytes)
    if kind == "tgz":
        from assay.sources.tar_carrier import packed_tar_index

        return packed_tar_index(open_file, most_bytes)
    if kind == "zip":
        from assay.sources.zip_carrier import zip_index

        return zip_index(open_file, most_bytes)
    from assay.sources.row_carrier import row_index

    return row_index(open_file, name, most_bytes)


_kept: LRUCache[tuple[object, ...], Index] = LRUCache(KEPT)
atexit.register(_kept.clear)  # while modules are still there: readers that are in the middle of a file end their worker
_lock = threading.Lock()
_opening: dict[tuple[object, ...], threading.Lock] = {}


def kept_index(key: tuple[object, ...], make: Callable[[], Index]) -> Index:
    """The index under a key, made once in this process. Raises what `make` raises."""
    with _lock:
        if key in _kept:
            return _kept[key]
        opening = _opening.setdefault(key, threading.Lock())
    with opening:
        with _lock:
            if key in _kept:
                return _kept[key]
        index = make()
        with _lock:
            _kept[key] = index
            _opening.pop(key, None)
        return index


def refused_name(name: str) -> str:
    """Why a member's name leads out of its archive; empty where it does not."""
    steps = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in steps or (len(steps[0]) == 2 and steps[0][1] == ":"):
        return f"the member {name[:200]!r} leads out of its archive"
    return ""


def is_unicode(name: str) -> bool:
    """Whether a member's name can be written as UTF-8, and holds no NUL."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return "\0" not in name


def without_doubles(members: list[Member]) -> list[Member]:
    """The members, with those refused whose name an earlier one has."""
    seen: set[str] = set()
    found = []
    for member in members:
        if member.name in seen:
            member = Member(member.name, member.size_bytes, "duplicate_member", "an earlier member has the same name")
        seen.add(member.name)
        found.append(member)
    return found
