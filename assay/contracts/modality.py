"""The record of a modality: all that stages, report, explorer and self-test know of a kind of data.

Each is one room of `assay/modalities/`, or comes from another package by the entry-point group `assay.modalities`.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from assay.contracts.errors import ContractError, SpecError
from assay.contracts.plugins import load_plugin
from assay.contracts.tables import Contract, register_facts


@dataclass(frozen=True)
class Face:
    """How a sample is shown, small and large. A snapshot's manifest carries it, so that readers need no modality.

    Attributes:
        kind: what the page draws: a `picture`, a `text`, a `sound`, a `video`, `boxes` in a picture, a `captioned`
            picture, a `drawing` that is nowhere larger than its preview, or `none`.
        plural: what samples are called: images, texts, recordings.
        facts: the table that holds what is shown, by `content_hash`.
        preview: its column with a small picture (JPEG or PNG bytes), if any.
        text: its column with words, which are also searched, if any.
        whole: of parts of pictures, its column with the hash of the file that a part is of; the part is in `x`, `y`,
            `box_width`, `box_height` of a picture of `image_width` × `image_height` pixels.
        caption: of captioned pictures and sounds, the column of `samples` with the words.
        outline: of parts of pictures, the column of `samples` with the outline, as `assay.sources.outlines` writes it.
    """

    kind: Literal["picture", "text", "sound", "video", "boxes", "captioned", "drawing", "none"]
    plural: str
    facts: str = ""
    preview: str = ""
    text: str = ""
    whole: str = ""
    caption: str = ""
    outline: str = ""


@dataclass(frozen=True)
class Facts:
    """What is measured of a content, once.

    Attributes:
        table: its name.
        contract: its columns; `content_hash` is the key.
        measure: `(spec, tables, samples, chunks)` → for each chunk of content hashes `(facts, lasting failures,
            contents not read this time)`, the last two as rows of `failures`.
        settings: keys of the spec's `[clean]` that it depends on.
        libraries: packages that it depends on.
        chunk: contents to a part, on average.
        prepared: the column that an embedder gets in the place of the content; empty: the content itself.
        properties: columns of numbers that may predict a label on their own.
        issues: files of one SELECT each over `samples` and the facts: rows `sample_id, metric, score, value`.
        prevalence: a SELECT of rows `metric, value, note` of `dataset_metrics`.
        version: of `measure`; raise it when it finds something else in a content.
        nightly: they depend on all of a night's data, as a node's degree does, and are measured anew each night.
    """

    table: str
    contract: type[Contract]
    measure: Callable[..., Any]
    settings: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    chunk: int = 1024
    prepared: str = ""
    properties: tuple[str, ...] = ()
    issues: tuple[Path, ...] = ()
    prevalence: Path | None = None
    version: int = 0
    nightly: bool = False


@dataclass(frozen=True)
class Copies:
    """What ties samples together, beyond equal bytes and close vectors.

    Attributes:
        columns: of the facts, that `tier` reads.
        largest: of the facts, whose product says which of two copies is the larger.
        tier: `(spec, samples, facts, tables, workspace)` → the tiers before vectors, `assay.modalities.tier.Tier`.
        confirmer: `(spec, samples, tables, workspace)` → what confirms a pair whose vectors are close.
        equal: the name of the tier whose members are equal, for all that one can see or hear.
    """

    columns: tuple[str, ...]
    largest: tuple[str, ...]
    tier: Callable[..., Any]
    confirmer: Callable[..., Any]
    equal: str = ""


@dataclass(frozen=True)
class Defect:
    """A kind of defect that can be planted, so that what finds it can be counted.

    Attributes:
        how: a `copy` adds an altered twin of a sample, a `leak` adds it to another split, `damage` alters a sample in
            place, a `stranger` is a sample that does not belong, `label` gives a sample another's label; `source` is
            in the rows of a source alone, and only an example that writes its own has it.
        found_by: `exact duplicates`, `near duplicates`, `leaks`, `unreadable files`, `outliers`, `label issues`, or a
            metric of `scores`.
        alter: `(content, rng) -> content`: what is done to a content; for a stranger, what is put beside it.
        also: other detectors that it may rightly trip, which is not held against them.
    """

    how: Literal["copy", "leak", "damage", "stranger", "label", "source"]
    found_by: str
    alter: Callable[..., Any] = lambda content, rng: content
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One sample of raw data, before it is a row of a source.

    Attributes:
        name: unique; a file name with its ending where the content is a file.
        content: the bytes of a file, a text, or a vector of shape (d,).
    """

    name: str
    content: Any
    label: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Example:
    """A small dataset for `assay demo`, made or carried by a dependency, so that it needs no network.

    Attributes:
        name: of the dataset.
        about: what the data are, in a few words.
        samples: `(seed) -> list[Sample]`, clean; the defects of the modality are planted into them.
        write: `(folder, seed) -> truth`, for a source that is more than a list of samples: writes all of it, and gives
            `uri` (the sample's id), `kind`, `of` (the original of a copy) and `true_label` of each planted sample.
        spec: lines of the spec below `name` and `modality`; paths are relative to the folder. Needed with `write`.
    """

    name: str
    about: str
    samples: Callable[[int], list[Sample]] | None = None
    write: Callable[[Path, int], Any] | None = None
    spec: str = ""


@dataclass(frozen=True)
class Worth:
    """A number by which embedders are ranked, larger is better, with its standard error; `name` says what it is."""

    name: str
    value: float | None
    error: float | None


@dataclass(frozen=True)
class Modality:
    """One kind of data.

    Attributes:
        content: where a sample's content is: a `file` behind its uri, or a `text` or a `vector` in the source's rows,
            kept in the table `contents`.
        other_endings: endings of file names that are surely of another kind.
        embedders: kinds of `[embed]`, the default first.
        readable: `(spec, content)` raises `SourceError` where the bytes cannot be decoded; used to plant defects.
        defects: kinds that can be planted.
        example: what `assay demo --modality NAME` runs on.
        folder: `(spec, workspace)` → `assay.sources.own.OwnRows`, how `source.kind = "folder"` is read; by default a
            file is a sample.
        reader: `(spec, source)` → a function `(uris, content_hash) -> bytes`, for samples that are parts of files, as
            `assay.sources.fragments` names them; by default the whole file.
        tower: which tower of a two-tower model embeds it, `image` or `text`, where such a model is among its embedders.
        parts: `(spec)` → a function `(content) -> [content of an image]`, for samples that are embedded by the mean of
            their parts' vectors.
        needs: packages without which it does not work: the module's name, and the command that installs it.
        measures: `(inputs)` → rows of `measures`, for what needs more than a SELECT over the facts; `inputs` is an
            `assay.metrics.inputs.Inputs`.
        worth: `(samples, vectors, found, embedded)` → `Worth` or None: how well vectors serve what the modality is for,
            where that is not telling labels; `vectors` (n, d) has a row a sample, `found` (n,) says which have one, and
            `embedded` are the tables of the stage that made them.
        validate: `(embed, adjacency, ids, tables)` → arrays to keep beside the vectors, of embedders of a whole graph:
            how well `embed(adjacency without some edges)` foretells the edges that were left out.
        tables: further tables that its reading of the source writes (`OwnRows.tables`), which its facts and embedders
            read.
    """

    name: str
    content: Literal["file", "text", "vector"]
    face: Face
    embedders: tuple[str, ...]
    facts: Facts | None = None
    copies: Copies | None = None
    other_endings: frozenset[str] = frozenset()
    readable: Callable[..., Any] | None = None
    defects: Mapping[str, Defect] = field(default_factory=dict)
    example: Example | None = None
    folder: Callable[..., Any] | None = None
    reader: Callable[..., Any] | None = None
    tower: str = ""
    measures: Callable[..., Any] | None = None
    worth: Callable[..., "Worth | None"] | None = None
    validate: Callable[..., Any] | None = None
    parts: Callable[..., Any] | None = None
    needs: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[str, ...] = ()

    def plantable(self) -> dict[str, Defect]:
        """The defects that can be planted into samples."""
        return {kind: defect for kind, defect in self.defects.items() if defect.how != "source"}

    def fact_tables(self) -> tuple[str, ...]:
        """The names of its tables of facts: none or one."""
        return (self.facts.table,) if self.facts else ()


def require(modality: Modality) -> None:
    """Raises `SpecError` where a package that the modality needs is not installed; the message says how to."""
    for module, command in modality.needs.items():
        if importlib.util.find_spec(module) is None:
            raise SpecError(
                f'modality = "{modality.name}" needs the package {module}, which is not installed; run: {command}'
            )


def find_modality(name: str) -> Modality:
    """The modality of a name.

    Raises:
        SpecError: there is none of that name.
        ContractError: what is registered under it is no `Modality`.
    """
    found = load_plugin("assay.modalities", name)
    if not isinstance(found, Modality):
        raise ContractError(f"the modality {name!r} is a {type(found).__name__}; wanted an assay Modality")
    if found.facts:
        register_facts(found.facts.table, found.facts.contract)
    return found
