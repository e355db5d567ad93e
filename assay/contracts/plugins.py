"""What others can add: modalities, embedders and metrics, through entry points of an installed package.

A package that brings a modality says so in its `pyproject.toml`:

    [project.entry-points."assay.modalities"]
    dna = "my_package.dna:DNA"
"""

import functools
import importlib
from importlib.metadata import PackageNotFoundError, entry_points, version

from assay.contracts.errors import SpecError

BUILT_IN = {
    "assay.modalities": {
        "image": "assay.modalities.image.modality:IMAGE",
        "pairs": "assay.modalities.pairs.modality:PAIRS",
        "audio_pairs": "assay.modalities.pairs.modality:AUDIO_PAIRS",
        "objects": "assay.modalities.objects.modality:OBJECTS",
        "audio": "assay.modalities.audio.modality:AUDIO",
        "video": "assay.modalities.video.modality:VIDEO",
        "text": "assay.modalities.text.modality:TEXT",
        "graph": "assay.modalities.graph.modality:GRAPH",
        "interactions": "assay.modalities.interactions.modality:INTERACTIONS",
        "vectors": "assay.modalities.vectors.modality:VECTORS",
    },
    "assay.embedders": {
        "open_clip": "assay.embedders.registry:open_clip",
        "sentence_transformers": "assay.embedders.registry:sentence_transformers",
        "transformers": "assay.embedders.pretrained:transformers",
        "timm": "assay.embedders.pretrained:timm",
        "service": "assay.embedders.service:service",
        "pca": "assay.embedders.fitted:fitted",
        "logmel": "assay.embedders.fitted:fitted",
        "autoencoder": "assay.embedders.fitted:fitted",
        "lsa": "assay.embedders.fitted:fitted",
        "bow": "assay.embedders.fitted:fitted",
        "word2vec": "assay.embedders.fitted:fitted",
        "fasttext": "assay.embedders.fitted:fitted",
        "glove": "assay.embedders.fitted:fitted",
        "sgc": "assay.embedders.graph:graph",
        "prone": "assay.embedders.graph:graph",
        "netmf": "assay.embedders.graph:graph",
        "spectral": "assay.embedders.graph:graph",
        "deepwalk": "assay.embedders.graph:graph",
        "node2vec": "assay.embedders.graph:graph",
        "fastrp": "assay.embedders.graph:graph",
        "als": "assay.embedders.graph:graph",
        "svd": "assay.embedders.graph:graph",
        "vectors": "assay.embedders.registry:given",
    },
    "assay.metrics": {},  # ours are records in `assay.contracts.metrics`
}


@functools.cache
def registered(group: str) -> dict[str, str]:
    """Name → `module:attribute` of everything of a group; ours first, and nobody takes the name of one of ours."""
    others = {point.name: point.value for point in entry_points(group=group)}
    return BUILT_IN.get(group, {}) | {name: others[name] for name in sorted(others) if name not in BUILT_IN[group]}


@functools.cache
def load_plugin(group: str, name: str) -> object:
    """The object that is registered under a name.

    Raises:
        SpecError: there is none, or its package cannot be imported; the message says which there are.
    """
    known = registered(group)
    if name not in known:
        raise SpecError(f"{name!r} is none of {group}: {', '.join(known)}")
    module, _, attribute = known[name].partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever another's package does when it is imported
        raise SpecError(
            f"{group} {name!r} is registered as {known[name]}, which cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def installed(package: str) -> str | None:
    """The installed version of a package; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
