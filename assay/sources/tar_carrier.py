"""Members of a tar, packed by gzip or not, and WebDataset's labels. Links, devices, names that lead out are refused."""

import json
import tarfile
from collections.abc import Callable
from typing import BinaryIO

from assay.contracts.errors import UnreadableSample
from assay.sources.carriers import MOST_MEMBERS, Index, Member, is_unicode, refused_name, without_doubles

BLOCK = 512
LABEL_BYTES = 4_096  # of a file that holds a label
LABELS = ("cls", "label")  # endings of such files beside a sample, as WebDataset has them
KEYS = ("label", "cls", "class")  # in a JSON beside a sample


def tar_index(open_file: Callable[[], BinaryIO], most_bytes: int) -> Index:
    """The index of an uncompressed tar.

    Raises:
        UnreadableSample: it is no tar.
    """
    places: dict[str, tuple[int, int]] = {}
    members: list[Member] = []
    broken = ""
    with open_file() as file:
        size = file.seek(0, 2)
        file.seek(0)
        try:
            with tarfile.open(fileobj=file, mode="r:", errorlevel=1) as archive:
                for found in archive:
                    name = found.name.removeprefix("./")
                    if not found.isdir():
                        member = _member(found, name, size, most_bytes)
                        members.append(member)
                        if not member.reason:
                            places.setdefault(name, (found.offset_data, found.size))
                    archive.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all of them
                    if len(members) > MOST_MEMBERS:
                        broken = f"more than {MOST_MEMBERS:,} members"
                        break
                end = archive.offset
            broken = broken or _ending(file, end, len(members))
        except (tarfile.TarError, OSError, EOFError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            if not members:
                raise UnreadableSample("unreadable", f"no tar that can be read ({str(error)[:200]})") from None
            broken = f"the tar is damaged or cut off after {len(members):,} members ({str(error)[:200]})"

    def read(name: str) -> bytes:
        start, length = places[name]
        with open_file() as file:
            file.seek(start)
            data = file.read(length)
        if len(data) < length:
            raise UnreadableSample("unreadable", "the tar is cut off within this member")
        return data

    members = [member for member in without_doubles(members) if _key(member.name)[1] not in LABELS]
    return Index(members, read, _labels(places, read), broken)


def packed_tar_index(open_file: Callable[[], BinaryIO], most_bytes: int) -> Index:
    """The index of a tar that is packed by gzip, which is unpacked once for it, in memory.

    Raises:
        UnreadableSample: it is no such tar, or a bomb.
    """
    from assay.sources.gzipped import Gzip

    whole = Gzip(open_file)
    index = tar_index(whole.open, most_bytes)
    if whole.broken:
        index.broken = f"the gzip file is damaged or cut off ({whole.broken}) after {len(index.members):,} members"
    return index


def _member(found: tarfile.TarInfo, name: str, size: int, most_bytes: int) -> Member:
    shown = name if is_unicode(name) else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = shown.replace("\0", "\\0")

    def refused(reason: str, detail: str) -> Member:
        return Member(shown, max(found.size, 0), reason, detail)

    if shown != name:
        return refused("bad_path", "the member's name is not UTF-8")
    if outside := refused_name(name):
        return refused("outside_root", outside)
    if found.issym() or found.islnk():
        return refused("not_a_file", f"a link to {found.linkname[:200]!r}; links in archives are not followed")
    if not found.isreg():
        return refused("not_a_file", "a device, a FIFO or something else that is not a file")
    if found.issparse():
        return refused("unreadable", "a sparse file, which is not read out of a tar")
    if found.size > most_bytes:
        return refused("too_large", f"{found.size:,} bytes, over source.max_file_bytes = {most_bytes:,}")
    if found.size < 0 or found.offset_data + found.size > size:
        return refused("unreadable", "the tar is cut off within this member")
    return Member(name, found.size)


def _ending(file: BinaryIO, end: int, count: int) -> str:
    """Why the tar does not end as one does; empty where it does."""
    file.seek(end)
    mark = file.read(BLOCK)
    if mark == bytes(BLOCK):
        return ""
    found = "without its end mark" if not mark else "with something that is not a member header"
    return f"the tar ends {found} after {count:,} members: it is damaged, or cut off"


def _labels(places: dict[str, tuple[int, int]], read: Callable[[str], bytes]) -> dict[str, str]:
    """The label of each sample that has a `KEY.cls` or a `KEY.json` with a label beside it."""
    of_key: dict[str, str] = {}
    for name, (_, length) in places.items():
        key, kind = _key(name)
        if length <= LABEL_BYTES and kind in LABELS:
            of_key[key] = read(name).decode("utf-8", "replace").strip()
        elif length <= LABEL_BYTES and kind == "json" and key not in of_key:
            label = _label_in_json(read(name))
            if label:
                of_key[key] = label
    return {name: of_key[key] for name in places if (key := _key(name)[0]) in of_key and of_key[key]}


def _key(name: str) -> tuple[str, str]:
    """WebDataset's key of a member, up to the first dot of its file name, and the last part of its ending."""
    folder, _, file = name.rpartition("/")
    key, _, rest = file.partition(".")
    return f"{folder}/{key}", rest.rpartition(".")[2].lower()


def _label_in_json(data: bytes) -> str:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    values = [found.get(key) for key in KEYS] if isinstance(found, dict) else []
    return next((str(value) for value in values if isinstance(value, str | int) and not isinstance(value, bool)), "")
