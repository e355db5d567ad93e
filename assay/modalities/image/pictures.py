"""Image near duplicates: candidates from the kNN graph and from hashes of flipped pictures, decided by alignment."""

import io

import numpy as np
import polars as pl
from PIL import Image

from assay.contracts.tables import empty
from assay.duplicates.hamming import close_pairs
from assay.modalities.image.alignment import MIDDLE, SIDE, Alignment, compare_finely, match_coarsely
from assay.modalities.image.luminance import is_flat, luminance_matrix
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

MIN_OVERLAP = 0.4  # of both pictures' areas: a smaller cut-out is not the same picture
CLOSEST = 0.05  # of the reference misfit: what aligned pictures of one origin stay under
CAUTIOUS = 0.1  # the reference misfit where there were too few units to measure it
DCT_SIDE = 8


class Pictures:
    """Confirms pairs of samples on their aligned thumbnails, decoded when first asked for.

    What a pair came to is kept as a fact, so that a night aligns only the pairs that are new.
    """

    method = 2
    rings = ((10, 0.8), (5, 2.5))

    def __init__(self, samples: pl.DataFrame, tables: Tables, workspace: Workspace, bits: int):
        self._bits = bits
        self._hashes, self._parts = samples["content_hash"], tables.parts("image_facts")
        self._order = self._larger_first(tables)
        method = hash_text(f"{self.method} {tables.config_of('image_facts').get('method')}")[:16]
        self._matches = FactStore(workspace, "picture_matches", method)
        self._small = np.zeros((0, MIDDLE, MIDDLE), dtype=np.uint8)
        self._small_at = np.full(len(samples), -1, dtype=np.int64)
        self._fine = np.zeros((0, SIDE, SIDE), dtype=np.uint8)
        self._fine_at = np.full(len(samples), -1, dtype=np.int64)

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]: 1 − `misfit`; 0 where a coarse look is enough to tell that a pair does not match."""
        turned = self._order[left] > self._order[right]
        left, right = np.where(turned, right, left), np.where(turned, left, right)
        names = self._hashes.gather(left) + self._hashes.gather(right)
        similarity = self._matches.lookup(names, "similarity").to_numpy().copy()
        new = np.flatnonzero(np.isnan(similarity))
        if not len(new):
            return similarity
        similarity[new] = 1.0 - self._misfit(left[new], right[new], thorough=False)
        found = pl.DataFrame({"content_hash": names.gather(new), "similarity": similarity[new]})
        self._matches.append(found.unique("content_hash", keep="first", maintain_order=True))
        return similarity

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """The median misfit of neighbours."""
        return {"misfit": float(np.median(self._misfit(left, right, thorough=True)))}

    def _misfit(self, left: np.ndarray, right: np.ndarray, thorough: bool) -> np.ndarray:
        self._load(np.union1d(left, right))
        match = match_coarsely(self._small, self._small_at[left], self._small_at[right], thorough)
        left, right, value = left[match.pairs], right[match.pairs], np.ones(len(left))
        self._decode(np.union1d(left, right))
        found = compare_finely(self._fine, self._fine_at[left], self._fine_at[right], match)
        value[match.pairs] = misfit(found)
        return value

    def least(self, reference: dict[str, float]) -> float:
        """Digits resemble each other, photographs do not: the bound is a share of the usual misfit."""
        return 1.0 - CLOSEST * reference.get("misfit", CAUTIOUS)

    def look_alikes(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs `left < right` of rows whose hashes agree within so many bits, one of them flipped or not.

        Fitted embedders know nothing of flips, so the kNN graph alone misses mirrored copies.
        """
        luminance = self._column("luminance", rows)
        known = np.array([value is not None for value in luminance], dtype=bool)
        matrix = luminance_matrix(luminance.drop_nulls().to_list())
        shown = ~is_flat(matrix)
        rows, hashes = rows[known][shown], np.concatenate(flip_hashes(matrix[shown]))
        left, right = close_pairs(hashes, self._bits)
        upright = left < len(rows)
        one, other = left[upright], right[upright] % max(len(rows), 1)
        one, other = np.minimum(one, other)[one != other], np.maximum(one, other)[one != other]
        pairs = np.unique(np.stack([one, other], axis=1), axis=0)
        return rows[pairs[:, 0]], rows[pairs[:, 1]]

    def _larger_first(self, tables: TableReader) -> np.ndarray:
        """(n,) rank of each row's picture: each pair is measured one way round, whatever its rows.

        A crop is found more surely in the frame of the whole than the whole in that of the crop.
        """
        area = pl.col("width").cast(pl.Int64) * pl.col("height")
        facts = tables.scan("image_facts").select("content_hash", area.alias("area")).unique("content_hash")
        rows = self._hashes.to_frame().lazy().join(facts, on="content_hash", how="left", maintain_order="left")
        order = pl.struct(-pl.col("area").fill_null(0), "content_hash").rank("dense")
        return rows.select(order).collect().to_series().to_numpy()

    def _column(self, name: str, rows: np.ndarray) -> pl.Series:
        """A column of the facts of some rows, one part in memory at a time; null where there is no fact."""
        wanted = self._hashes.gather(rows).to_frame()
        distinct = wanted.lazy().unique()
        columns = {name: empty("image_facts").schema[name] for name in ("content_hash", name)}
        found = [pl.DataFrame(schema=columns)]
        for part in self._parts:
            facts = pl.scan_parquet(part).select(list(columns))
            found.append(facts.join(distinct, on="content_hash", how="semi").collect())
        facts = pl.concat(found).unique("content_hash", keep="any")
        return wanted.join(facts, on="content_hash", how="left", maintain_order="left")[name]

    def _load(self, rows: np.ndarray) -> None:
        """The luminance of rows not yet in memory; a row without facts is blank, and blank matches nothing."""
        new = rows[self._small_at[rows] < 0]
        self._small_at[new] = np.arange(len(new)) + len(self._small)
        blank = bytes(MIDDLE * MIDDLE)
        pictures = luminance_matrix([value or blank for value in self._column("luminance", new)])
        self._small = np.concatenate([self._small, pictures.reshape(-1, MIDDLE, MIDDLE)])

    def _decode(self, rows: np.ndarray) -> None:
        """The same for thumbnails."""
        new = rows[self._fine_at[rows] < 0]
        self._fine_at[new] = np.arange(len(new)) + len(self._fine)
        self._fine = np.concatenate([self._fine, decode_pictures(self._column("thumbnail", new))])


def decode_pictures(thumbnails: pl.Series) -> np.ndarray:
    """(n, 64, 64) uint8 luminance from thumbnails; the aspect is not kept, as alignment scales each axis."""
    pictures = np.zeros((len(thumbnails), SIDE, SIDE), dtype=np.uint8)
    for i, data in enumerate(thumbnails):
        if data:
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                gray = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            pictures[i] = np.asarray(gray)
    return pictures


def misfit(found: Alignment) -> np.ndarray:
    """(m,) float64 in [0, 1]: how badly aligned pairs match; 0 is a perfect match.

    √((1 − c)(1 − g)) with the correlations c of the luminance and g of its gradients; 1 where one picture is less
    than `MIN_OVERLAP` of the other.
    """
    value = np.sqrt(np.clip(1 - found.luminance, 0, 1) * np.clip(1 - found.gradient, 0, 1))
    return np.where(np.minimum(found.overlap, found.overlap * found.zoom) >= MIN_OVERLAP, value, 1.0)


def flip_hashes(luminance: np.ndarray) -> list[np.ndarray]:
    """64-bit DCT hashes, (n,) uint64, of each picture upright, mirrored, upside down and both.

    A flip negates the odd frequencies of its axis, so one transform serves all four.
    """
    n = len(luminance)
    side = int(round(luminance.shape[1] ** 0.5)) if luminance.size else 32
    k, x = np.arange(DCT_SIDE)[:, None], np.arange(side)[None, :]
    basis = np.cos(np.pi * k * (2 * x + 1) / (2 * side)).astype(np.float32)
    coefficients = basis @ luminance.reshape(n, side, side).astype(np.float32) @ basis.T
    sign = np.where(np.arange(DCT_SIDE) % 2, -1, 1)
    hashes = []
    for down, across in ((1, 1), (1, sign), (sign, 1), (sign, sign)):
        turned = (coefficients * np.reshape(down, (-1, 1)) * across).reshape(n, DCT_SIDE**2).round(2)
        bits = turned > np.median(turned[:, 1:], axis=1, keepdims=True)
        bits[:, 0] = False
        hashes.append(np.packbits(bits, axis=1).view(">u8").reshape(n).astype(np.uint64))
    return hashes
