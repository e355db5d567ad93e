"""The bundled example: what SciPy says of its functions, and the part of the library that each belongs to."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from assay.contracts.modality import Sample

PARTS = ("fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "spatial", "stats")
SECTION = re.compile(r"^(?:Parameters|Notes|Attributes)$", re.MULTILINE)
LONGEST = 600  # characters
SHORTEST = 60
TEST_SHARE = 0.2


def docstring_samples(seed: int) -> list[Sample]:
    """A text for each documented function or class, in an order drawn by `seed`; no text twice."""
    found = {text: part for part in PARTS for text in dict.fromkeys(_texts(part))}
    rng = np.random.default_rng(seed)
    rows = list(found.items())
    order = rng.permutation(len(rows))
    is_test = rng.random(len(rows)) < TEST_SHARE
    return [
        Sample(f"{number:07d}", rows[i][0], rows[i][1], "test" if test else "train")
        for number, (i, test) in enumerate(zip(order, is_test, strict=True))
    ]


def _texts(part: str) -> Iterator[str]:
    """What the modules of a part say before their lists of parameters."""
    spec = importlib.util.find_spec("scipy")
    assert spec is not None and spec.origin is not None
    for file in sorted((Path(spec.origin).parent / part).rglob("*.py")):
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                said = SECTION.split(ast.get_docstring(node) or "", 1)[0]
                text = " ".join(said.split())[:LONGEST]
                if len(text) >= SHORTEST:
                    yield text
