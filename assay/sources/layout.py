"""What the folders of a dataset mean: which step of a path is a split, which a class, and how sure that is.

A layout is one word a step, from the top: `split`, `class`, `category` (a further column) or `*` (says nothing);
deeper steps say nothing. `guess_layout` reads it from the folders' names, and says where another reading fits too.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import polars as pl

from assay.contracts.splits import FILLER, is_no_class, split_kind, split_kinds

Steps = tuple[str, ...]
MEANING = {"split": "the split", "class": "the label", "category": "the column `category`", "*": "nothing"}
CONTAINERS = frozenset(word for word in FILLER if len(word) > 2)  # names of folders that only hold what is meant
SHOWN = 6  # names told of a folder's


@dataclass(frozen=True)
class Layout:
    """What the first steps of a path mean, and the doubts about it."""

    steps: Steps
    doubts: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """As `source.layout` spells it."""
        return "/".join(self.steps) or "flat"

    def read(self, folders: Steps) -> dict[str, str | None]:
        """`split`, `class` and `category` of a file in `folders`; None where the path does not say."""
        found: dict[str, str | None] = {"split": None, "class": None, "category": None}
        found.update({step: name for step, name in zip(self.steps, folders, strict=False) if step != "*"})
        if is_no_class(found["class"]):
            found["class"] = None
        return found


def layout_named(name: str) -> Layout:
    """The layout that a spec asks for."""
    return Layout(() if name == "flat" else tuple(name.split("/")))


def guess_layout(folders: Mapping[Steps, int]) -> Layout:
    """The most likely meaning of the folders.

    Args:
        folders: how many files stand in each folder, by its steps; the root is `()`.
    """
    wrapping = _wrapping(folders)
    inner = {steps[wrapping:]: n for steps, n in folders.items()}
    tops = _names(inner)
    found = (
        _splits_first(inner, tops) or _splits_second(inner, tops) or _some_splits(inner, tops) or _classes(inner, tops)
    )
    return Layout(("*",) * wrapping + found.steps, found.doubts)


def _wrapping(folders: Mapping[Steps, int]) -> int:
    """How many folders stand around the whole dataset, as an archive's own name does."""
    depth = 0
    while True:
        names = {steps[: depth + 1] for steps in folders}
        name = next(iter(names), ())
        if len(names) != 1 or len(name) <= depth or split_kind(name[depth]):
            return depth
        if not all(len(steps) > depth + 1 for steps in folders) and name[depth].lower() not in CONTAINERS:
            return depth  # a class, or a folder that says more than `images`
        depth += 1


def _splits_first(folders: Mapping[Steps, int], tops: Collection[str]) -> Layout | None:
    """`train/cat/1.png`, also with a folder of the split's own name between."""
    if () in folders and len(tops) == 1:
        return None
    if not tops or not split_kinds(tops):
        return None
    below = {top: _names(_below(folders, top)) for top in tops}
    deep = {top: names for top, names in below.items() if names}
    if not deep:
        return Layout(("split",))
    single = all(len(names) == 1 and top not in _loose(folders) for top, names in deep.items())
    children = {next(iter(names)) for names in deep.values()} if single else set()
    own = single and all(next(iter(names)).casefold() == top.casefold() for top, names in deep.items())
    plain = len(children) == 1 and (
        {child.lower() for child in children} <= CONTAINERS or all(len(steps) > 2 for steps in folders)
    )
    steps: Steps = ("split", "*") if own or plain else ("split",)
    return Layout(steps + (("class",) if any(len(given) > len(steps) for given in folders) else ()))


def _splits_second(folders: Mapping[Steps, int], tops: Collection[str]) -> Layout | None:
    """`bottle/train/good/1.png`, or `cat/train/1.png`."""
    below = {top: _names(_below(folders, top)) for top in tops}
    if not tops or () in folders or set(tops) & _loose(folders) or not all(map(split_kinds, below.values())):
        return None
    deep = sum(n for steps, n in folders.items() if len(steps) > 2)
    share = deep / max(sum(folders.values()), 1)
    doubts = []
    if 0 < share < 1:
        doubts.append(
            f"below the splits {deep:,} of {sum(folders.values()):,} files stand in folders and the others do not: "
            'source.layout = "class/split" or "category/split/class" says which is meant'
        )
    return Layout(("category", "split", "class") if share >= 0.5 else ("class", "split"), doubts)


def _some_splits(folders: Mapping[Steps, int], tops: Collection[str]) -> Layout | None:
    """`train/a`, `test/a` and another folder beside them."""
    named = {top: kind for top in tops if (kind := split_kind(top))}
    classes = [_names(_below(folders, top)) for top in named]
    together = set.intersection(*map(set, classes)) if classes else set()
    if len(set(named.values())) < 2 or "train" not in named.values() or not together:
        return None
    others = sorted(set(tops) - set(named))
    return Layout(
        ("split", "class"),
        [
            f"{_listed(sorted(named))} are taken for splits, since they hold the same folders "
            f"({_listed(sorted(together))}), and so {_listed(others)} beside them too; "
            "source.exclude leaves out what is not a split"
        ],
    )


def _classes(folders: Mapping[Steps, int], tops: Collection[str]) -> Layout:
    """`cat/1.png`, or no folders at all."""
    if not tops:
        return Layout(())
    doubts = []
    if like := sorted(top for top in tops if split_kind(top)):
        doubts.append(
            f"{_listed(like)} {'is' if len(like) == 1 else 'are'} named like a split and taken for a class, as "
            f"{_listed(sorted(set(tops) - set(like)) or ['a file outside any folder'])} is none: "
            'source.layout = "split/class" takes the top folders for splits'
        )
    below = [_names(_below(folders, top)) for top in sorted(tops)]
    if len(below) > 1 and len(below[0]) > 1 and all(set(names) == set(below[0]) for names in below):
        doubts.append(
            f"every class has the same folders below it ({_listed(sorted(below[0]))}): if these are the labels, "
            'set source.layout = "category/class"'
        )
    if len(tops) == 1 and () not in folders:
        doubts.append(
            f"all files stand in one folder, {next(iter(tops))}, which is taken for their label: "
            'source.layout = "flat" takes it for none'
        )
    elif all(len(top) > 2 and top.isdigit() for top in tops):
        doubts.append(
            f"the folders are numbered ({_listed(sorted(tops))}) and taken for classes: if they are only parts of the "
            'data, set source.layout = "flat"'
        )
    files = sum(n for steps, n in folders.items() if steps)
    if len(tops) > 20 and files < 2 * len(tops):
        doubts.append(
            f"{len(tops):,} folders hold {files:,} files: are these classes? "
            'source.layout = "*" or "category" says that they are none'
        )
    return Layout(("class",), doubts)


def folder_columns(paths: pl.Series, layout: str) -> tuple[pl.DataFrame, Layout]:
    """The columns label, split and, where the layout has one, category of some files by their paths; and the layout."""
    folders = [tuple(path.split("/")[:-1]) for path in paths.to_list()]
    counts: dict[Steps, int] = {}
    for steps in folders:
        counts[steps] = counts.get(steps, 0) + 1
    found = guess_layout(counts) if layout == "auto" else layout_named(layout)
    means = {steps: found.read(steps) for steps in counts}
    columns = {"class": "label", "split": "split"} | ({"category": "category"} if "category" in found.steps else {})
    frame = pl.DataFrame(
        {name: pl.Series([means[steps][step] for steps in folders], dtype=pl.String) for step, name in columns.items()}
    )
    return frame, found


def reading_in_words(layout: Layout, samples: pl.DataFrame) -> str:
    """What was taken for what, with the names that were found."""
    if not layout.steps:
        return "no folder means anything (flat): no labels, no splits"
    parts = []
    columns = {"class": "label", "split": "split", "category": "category"}
    for place, step in enumerate(layout.steps, start=1):
        names = ""
        if step in columns:
            found = samples[columns[step]].drop_nulls().unique().sort().to_list()
            names = f" ({_listed(found)})" if found else " (none found)"
        parts.append(f"folder {place} is {MEANING[step]}{names}")
    return f"{layout.name}: {', '.join(parts)}"


def _names(folders: Mapping[Steps, int]) -> Collection[str]:
    """The first steps that occur."""
    return {steps[0]: None for steps in folders if steps}.keys()


def _below(folders: Mapping[Steps, int], top: str) -> dict[Steps, int]:
    return {steps[1:]: n for steps, n in folders.items() if steps[:1] == (top,)}


def _loose(folders: Mapping[Steps, int]) -> set[str]:
    """Top folders that hold files themselves."""
    return {steps[0] for steps in folders if len(steps) == 1}


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
