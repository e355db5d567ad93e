"""Raw bytes by uri: the one door between assay and a dataset's own files.

`open_source(spec)` gives a source rooted where the spec's uris are relative to: a folder, or any fsspec URL. It opens
regular files below its root and nothing else; each refusal is an `UnreadableSample` whose reason is one of
`not_found`, `not_a_file`, `outside_root`, `too_large`, `unreadable`, `bad_path`. URLs in a table's cells are refused,
unless the root itself is a URL of the same scheme and host; http never reaches private or link-local addresses.
"""

import contextlib
import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from assay.contracts.errors import SourceError, UnreadableSample
from assay.sources.left_out import LeftOut, Patterns, is_litter

if TYPE_CHECKING:  # worker processes import this module, and should not wait for pydantic
    from assay.contracts.spec import Spec
    from assay.sources.carriers import Index

CHUNK = 2**20  # bytes read at a time while hashing
UNLIMITED = 2**62  # bytes of a carrier: its members have a limit each
LOST_LIMIT = 100_000  # files counted below a folder that is not read


class Entry(NamedTuple):
    """One file of a scan. `reason` is empty, or says why it cannot be a sample. `mtime_ns` of a remote file is any
    number that changes with its content, or -1 where there is none to be had. `ctime_ns` is when the file, its name or
    its rights last changed, which no program can set back; -1, like `inode`, for a remote one."""

    uri: str
    size_bytes: int
    mtime_ns: int
    reason: str = ""
    detail: str = ""
    ctime_ns: int = -1
    inode: int = -1


class Source:
    """Base: a root, and the rules on what may be read below it. `LocalSource` and `UrlSource` do the reading."""

    root: str

    def __init__(
        self,
        *,
        max_file_bytes: int,
        follow_symlinks: bool = False,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
    ) -> None:
        self.max_file_bytes, self.follow_symlinks = max_file_bytes, follow_symlinks
        self.patterns = Patterns(include, exclude)

    def open(self, uri: str) -> BinaryIO:
        """A regular file below the root, or a member of one (`a.tar#b.jpg`), open for reading.

        Raises:
            UnreadableSample: it is neither, or cannot be read.
        """
        inside = self._inside(uri)
        return self.index(inside[0]).open(inside[1]) if inside else self.open_file(uri, self.max_file_bytes)

    def stat(self, uri: str) -> Entry:
        """Size and modification time of one file, or of a member and its carrier. Raises `UnreadableSample`."""
        inside = self._inside(uri)
        if not inside:
            return self.stat_file(uri, self.max_file_bytes)
        carrier = self.stat_file(inside[0], UNLIMITED)
        return carrier._replace(uri=uri, size_bytes=self.index(inside[0]).find(inside[1]).size_bytes)

    def index(self, uri: str) -> "Index":
        """What a tar, zip, Parquet or Arrow file holds; made once in a process. Raises `UnreadableSample`."""
        from assay.sources.carriers import kept_index, read_index

        key = (self.root, self.max_file_bytes, *self.stat_file(uri, UNLIMITED)[:3])
        return kept_index(key, lambda: read_index(lambda: self.open_file(uri, UNLIMITED), uri, self.max_file_bytes))

    def _inside(self, uri: str) -> tuple[str, str] | None:
        """Carrier and member of a uri; None where it is a file's own name."""
        if "#" not in uri:
            return None
        from assay.sources.carriers import carrier_of

        found = carrier_of(uri)
        if found:
            with contextlib.suppress(UnreadableSample):
                self.stat_file(uri, UNLIMITED)
                return None
        return found

    def open_file(self, uri: str, limit: int) -> BinaryIO:
        """A regular file below the root of at most `limit` bytes, open for reading. Raises `UnreadableSample`."""
        raise NotImplementedError

    def stat_file(self, uri: str, limit: int) -> Entry:
        """Size and modification time of one file of at most `limit` bytes. Raises `UnreadableSample`."""
        raise NotImplementedError

    def scan(self, left: LeftOut | None = None) -> Iterator[Entry]:
        """Every file below the root in the order of their uris, less hidden files, litter and what the patterns leave
        out; `left` is told of these."""
        raise NotImplementedError

    def read(self, uri: str) -> bytes:
        """All bytes of one file. Raises `UnreadableSample`, `too_large` above `max_file_bytes`."""
        with self.open(uri) as file, _unreadable(uri):
            data = file.read(self.max_file_bytes + 1)
        if len(data) > self.max_file_bytes:
            raise UnreadableSample("too_large", f"more than {self.max_file_bytes:,} bytes (source.max_file_bytes)")
        return data

    def digest(self, uri: str) -> tuple[str, int]:
        """BLAKE2b-128 (hex) and size of one file's bytes, read once in small pieces. Raises `UnreadableSample`."""
        state, size = hashlib.blake2b(digest_size=16), 0
        with self.open(uri) as file, _unreadable(uri):
            while chunk := file.read(CHUNK):
                state.update(chunk)
                size += len(chunk)
                if size > self.max_file_bytes:
                    limit = f"more than {self.max_file_bytes:,} bytes (source.max_file_bytes)"
                    raise UnreadableSample("too_large", limit)
        return state.hexdigest(), size


class LocalSource(Source):
    """Files below a folder of this machine."""

    def __init__(self, root: str | Path, **rules: Any) -> None:
        super().__init__(**rules)
        self.root = os.path.realpath(root)

    def open_file(self, uri: str, limit: int) -> BinaryIO:
        """A file, looked at before and after it is opened."""
        path = self.path(uri)
        with _unreadable(uri):
            _regular(os.stat(path), uri, limit)  # looked at first: opening a device may act on it
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                _regular(os.fstat(descriptor), uri, limit)
                return os.fdopen(descriptor, "rb")
            except BaseException:
                os.close(descriptor)
                raise

    def stat_file(self, uri: str, limit: int) -> Entry:
        """Size, times and inode."""
        return _stat(self.path(uri), uri, limit)

    def path(self, uri: str) -> str:
        """The real path of a uri. Raises `UnreadableSample` (`outside_root`, `bad_path`)."""
        if "://" in uri:
            raise UnreadableSample("outside_root", "a URL, in a source whose root is not a URL of the same host")
        path = os.path.join(self.root, _relative(uri))
        if not self.follow_symlinks:
            try:
                path = os.path.realpath(path)
            except OSError as error:
                raise UnreadableSample("unreadable", str(error.strerror)) from None
            if not path.startswith(self.root.rstrip("/") + "/"):
                raise UnreadableSample(
                    "outside_root", "a symbolic link out of the source's root (source.follow_symlinks allows it)"
                )
        return path

    def scan(self, left: LeftOut | None = None) -> Iterator[Entry]:
        yield from sorted(self._walk("", frozenset({self.root}), LeftOut() if left is None else left))

    def _walk(self, folder: str, above: frozenset[str], left: LeftOut) -> Iterator[Entry]:
        """Entries below `folder` (a uri, empty for the root); `above`: real paths of the folders it lies in."""
        try:
            with os.scandir(os.path.join(self.root, folder)) as found:
                children = list(found)
        except OSError as error:
            if not folder:
                raise SourceError(f"the source {self.root} cannot be listed: {error.strerror}") from None
            detail = f"the folder cannot be listed ({error.strerror}); how many files are in it is not known"
            yield Entry(folder, 0, -1, "unreadable", detail)
            return
        is_empty = True
        for child in children:
            for entry in self._child(child, f"{folder}/{child.name}" if folder else child.name, above, left):
                is_empty = False
                yield entry
        if is_empty and folder:
            left.empty.append(folder)

    def _child(self, child: os.DirEntry[str], uri: str, above: frozenset[str], left: LeftOut) -> Iterator[Entry]:
        """The entries of one thing in a folder: itself, or what is below it."""
        if self.patterns.is_litter(child.name):
            left.names[_printable(child.name)] += 1
        elif self.patterns.excludes(uri):
            left.by_pattern += 1
        elif not child.is_dir():
            if not self.patterns.includes(uri):
                left.by_pattern += 1
            elif not _is_utf8(uri):
                yield Entry(_printable(uri), 0, -1, "bad_path", "the file's name is not UTF-8")
            else:
                yield self._entry(uri, child)
        elif not _is_utf8(uri):
            yield from self._lost(uri, child.path, "bad_path", "below a folder whose name is not UTF-8")
        elif child.is_symlink() and not self.follow_symlinks:
            yield from self._linked(uri, child.path)
        elif (real := os.path.realpath(child.path)) in above:
            yield Entry(uri, 0, -1, "not_a_file", "a symbolic link to a folder that it lies in")
        else:
            yield from self._walk(uri, above | {real}, left)

    def _linked(self, uri: str, path: str) -> Iterator[Entry]:
        """A link to a folder that is not followed: a reject a file, unless these are read where they stand."""
        real = os.path.realpath(path)
        if os.path.commonpath([real, self.root]) == self.root:
            yield Entry(uri, 0, -1, "not_a_file", "a symbolic link to a folder of the source, which is read there")
            return
        detail = "below a symbolic link to a folder out of the source's root (source.follow_symlinks allows it)"
        yield from self._lost(uri, path, "outside_root", detail)

    def _lost(self, uri: str, path: str, reason: str, detail: str) -> Iterator[Entry]:
        """An entry with that reason for each file below a folder that is not read; no link in it is followed."""
        n = 0
        for folder, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not is_litter(name))
            for name in sorted(name for name in files if not is_litter(name)):
                n += 1
                below = os.path.relpath(os.path.join(folder, name), path)
                if n > LOST_LIMIT:
                    yield Entry(_printable(uri), 0, -1, reason, f"{detail}; more than {LOST_LIMIT:,} files")
                    return
                if self.patterns.includes(f"{uri}/{below}"):
                    yield Entry(_printable(f"{uri}/{below}"), 0, -1, reason, detail)
        if not n:
            yield Entry(_printable(uri), 0, -1, reason, f"{detail}; no file is in it")

    def _entry(self, uri: str, child: os.DirEntry[str]) -> Entry:
        """A file's; one that is no link lies where it was found, and its path need not be resolved."""
        try:
            path = self.path(uri) if child.is_symlink() else child.path
            return _stat(path, uri, self.max_file_bytes)
        except UnreadableSample as refusal:
            return Entry(uri, 0, -1, refusal.reason, refusal.detail)


def _stat(path: str, uri: str, limit: int) -> Entry:
    """Size, times and inode of the file of a uri. Raises `UnreadableSample`."""
    with _unreadable(uri):
        found = os.stat(path)
        _regular(found, uri, limit)
    return Entry(uri, found.st_size, found.st_mtime_ns, ctime_ns=found.st_ctime_ns, inode=_inode(found))


class UrlSource(Source):
    """Files below an fsspec URL (`s3://bucket/folder`, `https://host/folder`, `memory://…`)."""

    def __init__(self, root: str, **rules: Any) -> None:
        super().__init__(**rules)
        self.root = root.rstrip("/")
        self._fs, self._path = _file_system(root)

    def open_file(self, uri: str, limit: int) -> BinaryIO:
        """A file, whose size is looked at as it is read."""
        path = self._place(uri)
        with _unreadable(uri):
            return self._fs.open(path, "rb")

    def stat_file(self, uri: str, limit: int) -> Entry:
        """Size, and a number that changes with the content."""
        path = self._place(uri)
        with _unreadable(uri):
            info = self._fs.info(path)
        if info.get("type") not in ("file", None):
            raise UnreadableSample("not_a_file", f"a {info['type']}")
        return self._entry(uri, info, limit)

    def scan(self, left: LeftOut | None = None) -> Iterator[Entry]:
        left = LeftOut() if left is None else left
        try:
            found = self._fs.find(self._path, detail=True)
        except Exception as error:  # whatever the protocol's client raises
            raise SourceError(f"the source {self.root} cannot be listed: {_short(error)}") from error
        prefix = self._path.rstrip("/") + "/"
        for path in sorted(found):
            uri = path.removeprefix(prefix)
            litter = next((step for step in uri.split("/") if self.patterns.is_litter(step)), None)
            if litter is not None:
                left.names[litter] += 1
            elif self.patterns.excludes(uri) or not self.patterns.includes(uri):
                left.by_pattern += 1
            else:
                yield self._entry(uri, found[path])

    def _entry(self, uri: str, info: dict[str, Any], limit: int | None = None) -> Entry:
        version = info.get("ETag") or info.get("etag") or info.get("mtime") or info.get("LastModified")
        version = version or info.get("last_modified") or info.get("created")
        stamp = (
            -1 if version is None else int.from_bytes(hashlib.blake2b(str(version).encode(), digest_size=7).digest())
        )
        size = int(info.get("size") or 0)
        if size > (self.max_file_bytes if limit is None else limit):
            return Entry(uri, size, stamp, "too_large", f"{size:,} bytes, over source.max_file_bytes")
        return Entry(uri, size, stamp)

    def _place(self, uri: str) -> str:
        """The file system's path of a uri that is relative or a URL of the root's own scheme and host."""
        if "://" not in uri:
            return f"{self._path.rstrip('/')}/{_relative(uri)}"
        root, cell = urlsplit(self.root), urlsplit(uri)
        if (cell.scheme.lower(), cell.netloc) != (root.scheme.lower(), root.netloc) or "\0" in uri:
            raise UnreadableSample(
                "outside_root", f"a URL that is not of the source's own {root.scheme}://{root.netloc}"
            )
        if ".." in cell.path.split("/"):
            raise UnreadableSample("outside_root", "a path with `..`")
        return self._fs._strip_protocol(uri)


def open_source(spec: "Spec") -> Source:
    """The source that a spec's uris are relative to: a folder source's `path`, a table's `root` or its own folder.

    Raises:
        SourceError: a URL whose scheme or host cannot be used.
    """
    section = spec.source
    place = section.path if section.kind == "folder" else section.root or _table_folder(spec)
    if section.kind == "folder" and is_carrier_file(spec):
        place = os.path.dirname(section.path) or _root_of(section.path)
    rules = {"follow_symlinks": section.follow_symlinks, "include": section.include, "exclude": section.exclude}
    return source_at(place, spec.base, max_file_bytes=section.max_file_bytes, **rules)


def is_carrier_file(spec: "Spec") -> bool:
    """Whether a folder source's path is one file that holds samples, such as a tar."""
    from assay.sources.carriers import ARCHIVES, ROWS, ending

    path = spec.source.path
    return ending(path) in ARCHIVES | ROWS and "://" not in path and os.path.isfile(spec.base / path)


def source_at(place: str, base: Path, **rules: Any) -> Source:
    """The source of one folder or URL; a relative `place` starts at `base`. Raises `SourceError` as `open_source`."""
    if place.lower().startswith("file://"):
        place = urlsplit(place).path
    if "://" in place and "::" in re.sub(r"\[.*?\]", "", place):  # brackets hold IPv6 addresses
        raise SourceError(f"the source {place} chains URLs with `::`; give one plain URL or a path")
    return UrlSource(place, **rules) if "://" in place else LocalSource(Path(base) / place, **rules)


def read_content(source: Source, uris: Iterable[str], content_hash: str) -> bytes:
    """The bytes of a content, checked against its hash, from the first of its places that still holds it.

    Raises:
        UnreadableSample: none does; `changed_meanwhile` where the last one holds something else.
    """
    problem = UnreadableSample("not_found", "no place of this content is known")
    for uri in uris:
        try:
            data = source.read(uri)
        except UnreadableSample as error:
            problem = error
            continue
        if hashlib.blake2b(data, digest_size=16).hexdigest() == content_hash:
            return data
        problem = UnreadableSample("changed_meanwhile", "the file is not what it was when this run listed it")
    raise problem


def has_wildcard(path: str) -> bool:
    """Whether a path is a glob pattern. (A `?` in a URL starts its query.)"""
    return glob.has_magic(path.replace("?", "") if "://" in path else path)


def _table_folder(spec: "Spec") -> str:
    """The folder that a table source's files stand in."""
    path = spec.source.path or _common(list(spec.source.files.values()))
    if "://" not in path and os.path.isfile(spec.base / path):
        return os.path.dirname(path) or _root_of(path)  # also where its name looks like a pattern
    last = path.rsplit("/", 1)[-1]
    is_folder = "." not in last if "://" in path else os.path.isdir(spec.base / path)
    return path if is_folder and not has_wildcard(path) else _literal(path).rpartition("/")[0] or _root_of(path)


def _root_of(path: str) -> str:
    return "/" if path.startswith("/") else "."


def _literal(path: str) -> str:
    """A path up to its first step with a wildcard; one name after it is dropped by the caller."""
    steps = path.split("/")
    first = next((number for number, step in enumerate(steps) if has_wildcard(step)), None)
    return path if first is None else "/".join([*steps[:first], "*"])


def _common(paths: list[str]) -> str:
    """A path in the deepest folder that holds all of `paths`."""
    folders = [path.split("/")[:-1] for path in paths]
    shared = [steps[0] for steps in zip(*folders, strict=False) if len(set(steps)) == 1]
    for depth in range(len(shared), -1, -1):
        if all(folder[:depth] == folders[0][:depth] for folder in folders):
            return "/".join([*folders[0][:depth], "*"])
    return "*"


def _relative(uri: str) -> str:
    """A uri as a plain relative path. Raises `UnreadableSample` (`outside_root`, `bad_path`)."""
    if "\0" in uri or not uri or not _is_utf8(uri):
        raise UnreadableSample("bad_path", "an empty path, or one with a NUL or with characters that are not Unicode")
    if uri.startswith("/"):
        raise UnreadableSample("outside_root", "an absolute path; paths are relative to the source's root")
    if ".." in PurePosixPath(uri).parts:
        raise UnreadableSample("outside_root", "a path with `..`")
    return uri


def _regular(found: os.stat_result, uri: str, max_file_bytes: int) -> None:
    """Raises `UnreadableSample` unless `found` is a regular file within the limit."""
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableSample("not_a_file", f"a {kinds.get(stat.S_IFMT(found.st_mode), 'device')}")
    if found.st_size > max_file_bytes:
        raise UnreadableSample("too_large", f"{found.st_size:,} bytes, over source.max_file_bytes = {max_file_bytes:,}")


@contextlib.contextmanager
def _unreadable(uri: str) -> Iterator[None]:
    """Turn what a file system raises into `UnreadableSample`; local paths stay out of the message."""
    try:
        yield
    except UnreadableSample:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise UnreadableSample("not_found", "no such file") from None
    except IsADirectoryError:
        raise UnreadableSample("not_a_file", "a folder") from None
    except OSError as error:
        raise UnreadableSample("unreadable", error.strerror or _short(error)) from None
    except Exception as error:  # fsspec's clients raise types of their own
        raise UnreadableSample("unreadable", _short(error)) from None


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _printable(path: str) -> str:
    """A path with bytes that are not UTF-8 written out."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _inode(found: os.stat_result) -> int:
    return found.st_ino if found.st_ino < 2**63 else found.st_ino - 2**64


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL and the path in it. Raises `SourceError`."""
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {}
    if urlsplit(url).scheme.lower() in ("http", "https"):
        from assay.sources.public_http import guarded_client, refuse_private_host

        refuse_private_host(url)
        options = {"get_client": guarded_client}
    try:
        return url_to_fs(url, **options)
    except ImportError as error:
        raise SourceError(f"the source {url} needs a package that is not installed: {error}") from None
    except Exception as error:
        raise SourceError(f"the source {url} cannot be opened: {_short(error)}") from error
