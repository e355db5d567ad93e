"""Captions as vectors: by the text tower of the model that embeds their pictures or sounds, else by their words.

Those of a tower lie in the space of the pictures and are kept as facts, like theirs. Those by words are a space of
their own, made of tonight's captions.
"""

import itertools

import numpy as np
import polars as pl

from assay.contracts.spec import Spec
from assay.embedders.pipeline import embed_contents, forget_plan, plan_chunks
from assay.embedders.registry import Plan, embedder_kind, plan_embedder
from assay.modalities.pairs.captions import BY_WORDS, caption_space
from assay.modalities.pairs.towers import has_text_tower
from assay.store.captions import texts_of
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.stage import StageWriter
from assay.store.tables import TableReader
from assay.store.vectors import vectors_frame
from assay.store.workspace import Workspace

ROWS = 16_384  # vectors in one part


def has_captions(spec: Spec) -> bool:
    """Whether each sample has a caption."""
    return bool(spec.data.face.caption)


def plan_captions(spec: Spec, workspace: Workspace) -> Plan | None:
    """What embeds the captions; None where no tower does."""
    if not has_captions(spec) or not has_text_tower(embedder_kind(spec), spec.embed.model, spec.base):
        return None
    return plan_embedder(spec, workspace, pl.Series("content_hash", [], dtype=pl.String), tower="text")


def write_captions(
    spec: Spec, workspace: Workspace, tables: TableReader, plan: Plan | None, writer: StageWriter
) -> None:
    """The table `caption_vectors`: one row a caption, known by the hash of its words; blank ones have none."""
    texts = texts_of(tables.read("samples")).unique().sort()
    texts = texts.filter(texts != "")
    hashes = pl.Series("content_hash", [hash_text(text) for text in texts], dtype=pl.String)
    if plan is None:
        space = caption_space(texts.to_list(), spec.metrics.seed) if len(texts) else np.zeros((0, 1), np.float32)
        for start in range(0, len(texts), ROWS):
            names = hashes[start : start + ROWS].to_list()
            writer.write("caption_vectors", vectors_frame(names, BY_WORDS, space[start : start + ROWS]))
        return
    store = FactStore(workspace, "caption_vectors", plan.fingerprint)
    chunks = plan_chunks(store, hashes)
    if chunks:
        embedder = plan.build()
        embedder.load()
        missing = set(itertools.chain(*chunks))
        words = {name: text for name, text in zip(hashes, texts, strict=True) if name in missing}
        label = f"embedding captions of {spec.name}"
        embed_contents(embedder, chunks, words.__getitem__, {}, store, spec.embed.storage, label)
    forget_plan(store)
    for part in store.parts_for(hashes):
        writer.link("caption_vectors", part)
