"""Members of a zip. Encrypted ones, links, names that lead out and bombs are refused; each is read up to its limit."""

import stat
import threading
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO

from assay.contracts.errors import UnreadableSample
from assay.sources.carriers import (
    BOMB_BYTES,
    BOMB_RATIO,
    MOST_MEMBERS,
    Index,
    Member,
    is_unicode,
    refused_name,
    without_doubles,
)

ENCRYPTED = 0x1


def zip_index(open_file: Callable[[], BinaryIO], most_bytes: int) -> Index:
    """The index of a zip.

    Raises:
        UnreadableSample: it is no zip, has too many members, or is a bomb.
    """
    file = open_file()
    try:
        size = file.seek(0, 2)
        archive = zipfile.ZipFile(file)
        listed = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, MemoryError, UnicodeError) as error:
        file.close()
        raise UnreadableSample("unreadable", f"no zip that can be read ({str(error)[:200]})") from None
    unpacked = sum(info.file_size for info in listed)
    if len(listed) > MOST_MEMBERS or (unpacked > BOMB_BYTES and unpacked > BOMB_RATIO * size):
        file.close()
        raise UnreadableSample(
            "too_large",
            f"{len(listed):,} members of {unpacked:,} bytes in a zip of {size:,}: a decompression bomb, not unpacked",
        )
    members = without_doubles([_member(info, most_bytes) for info in listed if not info.is_dir()])
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in listed:
        infos.setdefault(info.filename.removeprefix("./"), info)
    lock = threading.Lock()

    def read(name: str) -> bytes:
        info = infos[name]
        try:
            with lock, archive.open(info) as member:
                data = member.read(info.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
            raise UnreadableSample("unreadable", f"the member is damaged ({str(error)[:200]})") from None
        if len(data) != info.file_size:
            raise UnreadableSample("unreadable", f"{len(data):,} bytes where the zip promises {info.file_size:,}")
        return data

    return Index(members, read)


def _member(info: zipfile.ZipInfo, most_bytes: int) -> Member:
    name = info.filename.removeprefix("./")
    shown = name if is_unicode(name) else name.encode("utf-8", "backslashreplace").decode("utf-8")
    mode = info.external_attr >> 16
    reason, detail = "", ""
    if shown != name or "\0" in info.orig_filename:
        reason, detail = "bad_path", "the member's name is not UTF-8, or holds a NUL"
    elif outside := refused_name(info.orig_filename):
        reason, detail = "outside_root", outside
    elif mode and stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        reason, detail = "not_a_file", "a link or a device; those in archives are not followed"
    elif info.flag_bits & ENCRYPTED:
        reason, detail = "unreadable", "the member is encrypted"
    elif info.file_size > most_bytes:
        reason, detail = "too_large", f"{info.file_size:,} bytes, over source.max_file_bytes = {most_bytes:,}"
    return Member(shown, info.file_size, reason, detail)
