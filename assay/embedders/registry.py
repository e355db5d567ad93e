"""From a spec to an embedder: which kind, which files, which fingerprint. Nothing heavy is imported to find out.

`plan_embedder` is cheap (it digests a local model's files and looks at stored bases), so a night without new content
never loads torch. `make_embedder` builds what was planned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assay.contracts.errors import EmbedderError
from assay.contracts.plugins import load_plugin
from assay.contracts.spec import Spec
from assay.embedders.base import Check, Embedder
from assay.embedders.basis import fingerprint_of
from assay.embedders.hub import fetch, import_module
from assay.embedders.trust import refuse_foreign_code
from assay.embedders.weights import (
    LOCAL,
    digest_file,
    how_computed,
    local_folder,
    package_installed,
    refuse,
    resolve_device,
    resolve_precision,
)
from assay.store.digests import read_sealed, write_sealed
from assay.store.workspace import Workspace

MODEL_FILES = (".json", ".safetensors", ".bin", ".pth", ".txt", ".model")


@dataclass(frozen=True)
class Placed:
    """Vectors (n, d), float32, of some contents, and what there is to say of them."""

    content_hashes: pl.Series
    vectors: NDArray[np.float32]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Plan:
    """An embedder before it is built.

    Attributes:
        fingerprint: names the vectors it will make.
        build: makes it; imports what it needs.
        basis_overlap: of a fitted embedder, the share of contents that tonight's data and the data it was fitted on
            have in common (of all contents in either); None for others.
        whole: it takes samples whole that others take in parts (`Modality.parts`).
        checks: further rows of `embedding_health`: check, value, wanted, ok, note.
        done: called when all is embedded.
        place: `(missing contents)` → their vectors, of an embedder that sees the dataset as a whole, which has no
            `build`; None for others.
        without: contents that have none by their nature, which is no fault.
    """

    kind: str
    fingerprint: str
    build: Callable[[], Embedder]
    basis_overlap: float | None = None
    whole: bool = False
    checks: tuple[tuple[str, float, str, bool, str], ...] = ()
    done: Callable[[], None] = lambda: None
    place: Callable[[pl.Series], Placed] | None = None
    without: int = 0


def embedder_kind(spec: Spec) -> str:
    """The kind that `spec.embed` asks for, with `auto` resolved.

    Raises:
        EmbedderError: no embedder, or not this one, takes such data.
    """
    known = spec.data.embedders
    kind = known[0] if spec.embed.kind == "auto" else spec.embed.kind
    if kind in known or spec.modality in getattr(load_plugin("assay.embedders", kind), "modalities", ()):
        return kind
    wanted = f"one of {', '.join(known)}"
    raise EmbedderError(
        f'embed.kind = "{spec.embed.kind}" does not embed data of modality "{spec.modality}"; use {wanted}. '
        "`assay embedders` lists them all"
    )


def make_embedder(
    spec: Spec, workspace: Workspace, content_hashes: pl.Series | None = None, tower: str = ""
) -> Embedder:
    """The embedder of a spec. A fitted kind takes the basis that goes with `content_hashes`.

    `tower="text"` gives the text tower of a model of open_clip, or of CLAP, whose images or sounds are embedded: to
    search them by words, and to judge their captions.

    Raises:
        EmbedderError: the kind does not fit the data, or its weights or package cannot be had.
    """
    hashes = pl.Series("content_hash", [], dtype=pl.String) if content_hashes is None else content_hashes
    return plan_embedder(spec, workspace, hashes, tower).build()


def plan_embedder(spec: Spec, workspace: Workspace, content_hashes: pl.Series, tower: str = "") -> Plan:
    """What `make_embedder` would build, and its fingerprint. Raises as it does."""
    kind = embedder_kind(spec)
    if tower and kind not in ("open_clip", "transformers"):
        raise EmbedderError(f'embed.kind = "{kind}" has no {tower} tower; models of open_clip and CLAP have two')
    makes = cast(Callable[..., Plan], load_plugin("assay.embedders", kind))
    plan = makes(spec, workspace, content_hashes, tower)
    parts = spec.data.parts
    if parts is None or plan.whole or tower:
        return plan
    from assay.embedders.parts import of_parts

    return of_parts(plan, parts(spec), spec)


def tables_planner(spec: Spec) -> Callable[[Spec, Workspace, pl.Series, Any], Plan]:
    """What plans an embedder that sees the dataset as a whole: `(spec, workspace, content_hashes, tables) -> Plan`.

    Raises:
        EmbedderError: the kind does not take such data, or embeds contents one by one.
    """
    makes = load_plugin("assay.embedders", embedder_kind(spec))
    found = getattr(makes, "of_tables", None)
    if found is None:
        raise EmbedderError(f'embed.kind = "{spec.embed.kind}" does not embed a dataset as a whole')
    return cast(Callable[[Spec, Workspace, pl.Series, Any], Plan], found)


def open_clip(spec: Spec, workspace: Workspace, _: pl.Series, tower: str) -> Plan:
    """A tower of an open_clip model, by default the one that embeds such data."""
    return _plan_open_clip(spec, workspace, tower or spec.data.tower)


def sentence_transformers(spec: Spec, _workspace: Workspace, _hashes: pl.Series, _tower: str) -> Plan:
    """A model of sentence-transformers."""
    return _plan_sentences(spec)


def given(spec: Spec, _workspace: Workspace, _hashes: pl.Series, _tower: str) -> Plan:
    """Raises `EmbedderError`: there is no model behind vectors that the user brings."""
    raise EmbedderError(f"vectors that you supply are used as they are: `{spec.name}` has no model")


def text_steps(spec: Spec) -> dict[str, Any] | None:
    """What decides a text's cleaned form, beside the text; None where no text is embedded."""
    if spec.data.content != "text":
        return None
    return spec.clean.model_dump(mode="json", include={"text_steps", "max_text_characters", "language"})


def long_texts(spec: Spec, tower: str) -> str | None:
    """What is done with texts longer than the model reads; None where no text is embedded."""
    return spec.embed.long_texts if tower == "text" else None


def _plan_open_clip(spec: Spec, workspace: Workspace, tower: str) -> Plan:
    _need(spec, "open_clip", "open_clip_torch")
    folder = local_folder(spec, spec.embed.model)
    pretrained = None
    if folder:
        name, weights = f"{LOCAL}{folder}", {file.name: digest_file(file) for file in _open_clip_files(spec, folder)}
    else:
        name = spec.embed.model
        file = spec.base / spec.embed.pretrained
        pretrained = str(file.resolve()) if spec.embed.pretrained and file.is_file() else spec.embed.pretrained
        weights = _remembered(workspace, name, pretrained) or _download(spec, workspace, name, pretrained)
    device = resolve_device(spec.embed.device)
    precision = resolve_precision(spec.embed.precision, device)
    fingerprint = fingerprint_of(
        kind="open_clip", tower=tower, weights=weights, model=None if folder else name,
        preprocessing=2 if tower == "text" else 1, long_texts=long_texts(spec, tower), precision=precision,
        storage=spec.embed.storage, text=text_steps(spec), **how_computed(spec, device, precision, tower == "image"),
    )  # fmt: skip

    def build() -> Embedder:
        from assay.embedders.open_clip import OpenClip

        return OpenClip(spec, fingerprint, tower, name, pretrained or None, device, precision)

    return Plan("open_clip", fingerprint, build)


def _open_clip_files(spec: Spec, folder: Path) -> list[Path]:
    """The configuration, weights and tokenizer files of an open_clip folder."""
    files = [file for file in sorted(folder.iterdir()) if file.suffix in MODEL_FILES and file.is_file()]
    if not (folder / "open_clip_config.json").is_file():
        raise refuse(spec, f"{folder} holds no open_clip_config.json, so it is not an open_clip model")
    if not any(file.suffix in (".safetensors", ".bin", ".pth") for file in files):
        raise refuse(spec, f"{folder} holds no weights (open_clip_model.safetensors)")
    refuse_foreign_code(spec, folder)
    return files


def _download(spec: Spec, workspace: Workspace, name: str, pretrained: str) -> dict[str, Any]:
    """Fetch a named model's files into the usual cache (or find them there), and remember what they digest to."""
    from assay.embedders.open_clip_hub import fetch_files

    files, described = fetch_files(spec, name, pretrained)
    weights = {"files": {file.name: digest_file(file) for file in files}, "config": described}
    seen = {str(file): [file.stat().st_size, file.stat().st_mtime_ns] for file in files}
    write_sealed(_memory(workspace, name, pretrained), {"seen": seen, "weights": weights})
    return weights


def _remembered(workspace: Workspace, name: str, pretrained: str) -> dict[str, Any] | None:
    """What `_download` found last time, where the files are still the same ones."""
    try:
        memory = read_sealed(_memory(workspace, name, pretrained))
        for file, seen in memory["seen"].items():
            stat = Path(file).stat()
            if [stat.st_size, stat.st_mtime_ns] != seen:
                return None
        return memory["weights"]
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def _memory(workspace: Workspace, name: str, pretrained: str) -> Path:
    return workspace.facts / "embedders" / f"weights-{fingerprint_of(name=name, pretrained=pretrained)}.json"


def _plan_sentences(spec: Spec) -> Plan:
    _need(spec, "sentence_transformers", "sentence-transformers")
    folder = _sentences_folder(spec)
    refuse_foreign_code(spec, folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in MODEL_FILES)
    weights = {file.relative_to(folder).as_posix(): digest_file(file) for file in files}
    device = resolve_device(spec.embed.device)
    precision = resolve_precision(spec.embed.precision, device)
    fingerprint = fingerprint_of(
        kind="sentence_transformers", weights=weights, precision=precision, storage=spec.embed.storage,
        text=text_steps(spec), preprocessing=2, long_texts=long_texts(spec, "text"),
    )  # fmt: skip

    def build() -> Embedder:
        module = import_module("assay.embedders.sentence_transformers")
        return module.Sentences(spec, fingerprint, folder, device, precision)

    return Plan("sentence_transformers", fingerprint, build)


def _sentences_folder(spec: Spec) -> Path:
    """The model's folder: given, inside a package, beside the spec, or from the hub."""
    given = spec.embed.model
    beside = spec.base / given
    folder = local_folder(spec, given) or (beside if beside.is_dir() else None)
    if folder is None:
        return fetch(spec, given if "/" in given else f"sentence-transformers/{given}")
    if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        raise refuse(spec, f"{folder} holds no modules.json, so it is not a sentence-transformers model")
    return folder


def _need(spec: Spec, module: str, package: str) -> None:
    if not package_installed(module):
        raise refuse(spec, f'embed.kind = "{spec.embed.kind}" needs the package {package}, which is not installed')
