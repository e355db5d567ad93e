"""What a folder holds that is no sample: litter, hidden things, what patterns leave out, other kinds of files."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.sources.files import Entry

LITTER = frozenset(
    {
        "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "network trash folder", "temporary items",
        "$recycle.bin", "recycler", "system volume information", "lost+found", "__pycache__",
        "@eadir", "@tmp", "@sharebin", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
    }
)  # fmt: skip  # left by desktops, file systems and network stores: never data
KNOWN_HIDDEN = frozenset(
    {".ds_store", ".git", ".gitignore", ".gitattributes", ".gitkeep", ".gitmodules", ".dvc", ".dvcignore", ".cache",
     ".ipynb_checkpoints", ".trash", ".trashes", ".spotlight-v100", ".fseventsd", ".thumbnails", ".huggingface",
     ".keep", ".nfs", ".snapshot", ".svn", ".hg", ".idea", ".vscode", ".venv", ".directory", ".picasa.ini"}
)  # fmt: skip
SHOWN = 6


@dataclass
class LeftOut:
    """What a scan did not take."""

    names: Counter[str] = field(default_factory=Counter)  # litter and hidden things, by name
    by_pattern: int = 0  # files and folders that `exclude` names, or that no pattern of `include` does
    empty: list[str] = field(default_factory=list)  # folders in which nothing is read
    endings: Counter[str] = field(default_factory=Counter)  # files of another kind, by ending

    def described(self) -> str:
        """What the notes depend on, for a digest."""
        return repr((sorted(self.names), sorted(self.empty), sorted(self.endings.items())))

    def notes(self) -> list[tuple[str, float, str]]:
        """Rows of `dataset_metrics`: what was left out, as numbers with words."""
        found = []
        if self.endings:
            shown = _counted(self.endings, ".")
            found.append(
                (
                    "source_files_of_another_kind",
                    float(self.endings.total()),
                    f"files left out, which by their names are not samples of this modality: {shown}; "
                    'source.include = ["*"] tries every file',
                )
            )
        if self.names:
            found.append(
                ("source_names_left_out", float(len(self.names)), f"hidden or litter, left out: {_listed(self.names)}")
            )
        return found

    def doubts(self) -> list[str]:
        """What may have been left out wrongly."""
        hidden = sorted(name for name in self.names if name.startswith(".") and name.lower() not in KNOWN_HIDDEN)
        hidden = [name for name in hidden if not name.startswith("._")]
        if not hidden:
            return []
        return [
            f"{_listed(dict.fromkeys(hidden))} {'is' if len(hidden) == 1 else 'are'} hidden by the dot in front, and "
            f'left out: source.include = ["*", {hidden[0]!r}] reads it'
        ]


@dataclass(frozen=True)
class Patterns:
    """The globs of a spec: on the relative path, or on the name of one of its folders or of itself."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def excludes(self, uri: str) -> bool:
        """Whether a pattern of `exclude` matches."""
        return _any(self.exclude, uri)

    def includes(self, uri: str) -> bool:
        """Whether a pattern of `include` matches, or there is none."""
        return not self.include or _any(self.include, uri)

    def is_litter(self, name: str) -> bool:
        """Whether a name is litter or hidden, and `include` does not spell it."""
        is_named = any(name in pattern.strip("/").split("/") for pattern in self.include)
        return is_litter(name) and not is_named


def is_litter(name: str) -> bool:
    """Hidden files, and what desktops and network stores leave behind."""
    return name.startswith(".") or name.lower() in LITTER


def of_kind(entries: Sequence["Entry"], other: frozenset[str], patterns: Patterns, left: LeftOut) -> list["Entry"]:
    """The entries without those whose ending is one of `other`, of another kind of file, which `left` counts.

    Where `include` says what to read, every file that it names is taken.
    """
    if patterns.include or not other:
        return list(entries)
    kept = []
    for entry in entries:
        ending = ending_of(entry.uri)
        if ending in other:
            left.endings[ending] += 1
        else:
            kept.append(entry)
    return kept


def ending_of(uri: str) -> str:
    """A file name's ending in lower case, without its dot; empty where it has none."""
    name = uri.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name else ""


def counted_endings(uris: Sequence[str]) -> str:
    """How many of some files have which ending, in words."""
    return _counted(Counter(map(ending_of, uris)), ".")


def _any(patterns: Sequence[str], uri: str) -> bool:
    steps = uri.split("/")
    return any(
        fnmatchcase(uri, pattern.strip("/")) or any(fnmatchcase(step, pattern.strip("/")) for step in steps)
        for pattern in patterns
    )


def _counted(counts: Counter[str], sign: str) -> str:
    most = counts.most_common(SHOWN)
    rest = f" and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    return ", ".join(f"{n:,} {sign + name if name else 'without an ending'}" for name, n in most) + rest


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)[:SHOWN]
    return ", ".join(map(repr, shown)) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
