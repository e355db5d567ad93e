"""The embedders that are fitted on the dataset itself: which class each kind is, and what decides what it learns."""

import importlib
from dataclasses import dataclass
from importlib.metadata import version

import polars as pl

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.base import Embedder
from assay.embedders.basis import fingerprint_of, plan_basis
from assay.embedders.registry import Plan, embedder_kind, long_texts, text_steps
from assay.embedders.weights import package_installed, refuse, resolve_device
from assay.store.workspace import Workspace


@dataclass(frozen=True)
class Kind:
    """One kind of fitted embedder.

    Attributes:
        place: `module:class`.
        needs: module and package without which it does not work.
        models: what `embed.model` may say; the first is the default.
        torch: it takes a device.
        cuts: it reads long texts as `embed.long_texts` says.
        words: it embeds words, and has them as a table.
        version: raised when it makes other vectors of the same contents.
    """

    place: str
    needs: tuple[str, str] | None = None
    models: tuple[str, ...] = ()
    torch: bool = False
    cuts: bool = False
    words: bool = False
    version: int = 2


KINDS = {
    "pca": Kind("assay.embedders.pca:ImagePca"),
    "logmel": Kind("assay.embedders.logmel:LogMel", version=4),
    "autoencoder": Kind("assay.embedders.autoencoder:Autoencoder", ("torch", "torch"), torch=True),
    "lsa": Kind("assay.embedders.lsa:Lsa", cuts=True),
    "bow": Kind("assay.embedders.bow:Bow", models=("tfidf", "counts"), cuts=True, words=True),
    "word2vec": Kind(
        "assay.embedders.words:Word2Vec", ("gensim", "gensim"), models=("skipgram", "cbow"), words=True
    ),
    "fasttext": Kind("assay.embedders.words:FastText", ("gensim", "gensim"), words=True),
    "glove": Kind("assay.embedders.words:Glove", words=True),
}  # fmt: skip


def has_words(kind: str) -> bool:
    """Whether the embedder embeds words, which are then a table."""
    return kind in KINDS and KINDS[kind].words


def in_characters(kind: str) -> bool:
    """Whether what it reads of a long text is counted in characters, not tokens."""
    return kind == "service" or (kind in KINDS and KINDS[kind].cuts)


def fitted(spec: Spec, workspace: Workspace, content_hashes: pl.Series, _tower: str) -> Plan:
    """An embedder that is fitted on the dataset itself.

    Raises:
        EmbedderError: its package is not installed, or `embed.model` names none of its models.
    """
    name = embedder_kind(spec)
    kind = KINDS[name]
    if kind.needs and not package_installed(kind.needs[0]):
        raise refuse(spec, f'embed.kind = "{name}" needs the package {kind.needs[1]}, which is not installed')
    device = resolve_device(spec.embed.device) if kind.torch else "cpu"
    algorithm = fingerprint_of(
        kind=name, dimensions=spec.embed.dimensions, seed=spec.embed.seed, device=device, text=text_steps(spec),
        storage=spec.embed.storage, version=kind.version, long_texts=long_texts(spec, "text") if kind.cuts else None,
        **_of_words(spec, name, kind),
    )  # fmt: skip
    basis = plan_basis(workspace, algorithm, content_hashes)

    def build() -> Embedder:
        module, _, attribute = kind.place.partition(":")
        make = getattr(importlib.import_module(module), attribute)
        return make(spec, basis, device) if kind.torch else make(spec, basis)

    return Plan(name, basis.fingerprint, build, basis.overlap)


def _of_words(spec: Spec, name: str, kind: Kind) -> dict[str, str]:
    """What else decides the vectors of the kinds that embed words."""
    if not kind.words:
        return {}
    model = spec.embed.model or (kind.models[0] if kind.models else "")
    if kind.models and model not in kind.models:
        raise EmbedderError(
            f'embed.model = "{model}" is none of {name}\'s models: {", ".join(kind.models)} (the first is the default)'
        )
    library = version(kind.needs[1]) if kind.needs else ""
    return {"model": model, "word_weights": spec.embed.word_weights, "library": library}
