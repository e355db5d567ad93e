"""Image near duplicates: candidates from the kNN graph and from hashes of turned pictures, aligned, then confirmed."""

import io

import numpy as np
import polars as pl
from PIL import Image

from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.modalities.hamming import close_pairs
from assay.modalities.image.alignment import MIDDLE, SIDE, TURN_NAMES, TURNS, Alignment, compare_finely, match_coarsely
from assay.modalities.image.confirming import METHOD, Comparer
from assay.modalities.image.luminance import is_flat, luminance_matrix
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace

MIN_OVERLAP = 0.4  # of both pictures' areas: a smaller cut-out is not the same picture
MISFIT = 0.1  # of aligned thumbnails: below it the files are compared
ALIKE = 0.004  # of neighbours that pass for copies: more, and the pictures resemble each other (digits: .01 to .02)
CLEAR = 0.95  # correlation of detail that is asked for then
DCT_SIDE = 8


class Pictures:
    """Confirms pairs of samples: aligned on their thumbnails, decoded when asked for, then compared on their files.

    What a pair came to is kept as a fact, so that a night aligns only the pairs that are new.
    """

    method = 4
    rings = ((10, 0.8), (5, 2.5))
    facts = "image_facts"

    def __init__(self, spec: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> None:
        self._bits = spec.dedup.perceptual_bits
        self._hashes, self._parts = samples["content_hash"], tables.parts(self.facts)
        self._order = self._larger_first(tables)
        method = hash_text(f"{self.method} {METHOD} {tables.config_of(self.facts).get('method')}")[:16]
        self._matches = FactStore(workspace, "picture_matches", method)
        self._comparer = Comparer(spec, samples, workspace, self._parts)
        self._small = np.zeros((0, MIDDLE, MIDDLE), dtype=np.uint8)
        self._small_at = np.full(len(samples), -1, dtype=np.int64)
        self._fine = np.zeros((0, SIDE, SIDE), dtype=np.uint8)
        self._fine_at = np.full(len(samples), -1, dtype=np.int64)

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1]: the correlation of detail of pairs that are copies, 0 for others."""
        return self._found(left, right)["similarity"].to_numpy()

    def tiers(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) object: `altered`, `mirrored` or `rotated`, by how a pair was laid over each other."""
        names = np.array(["altered" if name == "upright" else name for name in TURN_NAMES], dtype=object)
        return names[self._found(left, right)["turn"].to_numpy()]

    def _found(self, left: np.ndarray, right: np.ndarray) -> pl.DataFrame:
        """`similarity` and `turn` of each pair, from the facts where it is known."""
        swapped = self._order[left] > self._order[right]
        left, right = np.where(swapped, right, left), np.where(swapped, left, right)
        names = self._hashes.gather(left) + self._hashes.gather(right)
        known = pl.DataFrame({name: self._matches.lookup(names, name) for name in ("similarity", "turn")})
        new = np.flatnonzero(known["similarity"].is_null().to_numpy())
        if not len(new):
            return known
        similarity, turn = self._compare(left[new], right[new])
        found = pl.DataFrame({"content_hash": names.gather(new), "similarity": similarity, "turn": turn})
        self._matches.append(found.unique("content_hash", keep="first", maintain_order=True))
        return pl.DataFrame({name: self._matches.lookup(names, name) for name in ("similarity", "turn")})

    def _compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Similarity and turn: aligned on thumbnails, and where these match, compared on the files."""
        self._load(np.union1d(left, right))
        match = match_coarsely(self._small, self._small_at[left], self._small_at[right])
        one, other = left[match.pairs], right[match.pairs]
        self._decode(np.union1d(one, other))
        aligned = compare_finely(self._fine, self._fine_at[one], self._fine_at[other], match)
        close = misfit(aligned) <= MISFIT
        similarity, turn = np.zeros(len(left)), np.zeros(len(left), dtype=np.uint8)
        rows = match.pairs[close]
        turn[rows] = match.turn[close]
        similarity[rows] = self._comparer.aligned(left[rows], right[rows], match.turn[close], aligned.warp[close])
        return similarity, turn

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """The share of neighbours, hardly ever copies, that the comparison takes for copies all the same."""
        return {"alike": float((self.similarity(left, right) > 0).mean()) if len(left) else 0.0}

    def least(self, reference: dict[str, float]) -> float:
        """Whatever is not 0 was confirmed; where pictures that are no copies pass as well, such as drawn digits, nearly
        all of the detail must agree."""
        return CLEAR if reference.get("alike", 0.0) > ALIKE else 1e-6

    def look_alikes(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs `left < right` of rows whose hashes agree within so many bits, one of them turned or not.

        Fitted embedders know nothing of flips and turns, so the kNN graph alone misses such copies.
        """
        luminance = self._column("luminance", rows)
        known = np.array([value is not None for value in luminance], dtype=bool)
        matrix = luminance_matrix(luminance.drop_nulls().to_list())
        shown = ~is_flat(matrix)
        rows, hashes = rows[known][shown], np.concatenate(turn_hashes(matrix[shown]))
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
        facts = tables.scan(self.facts).select("content_hash", area.alias("area")).unique("content_hash")
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
        known = pl.concat(found).unique("content_hash", keep="any")
        return wanted.join(known, on="content_hash", how="left", maintain_order="left")[name]

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


def turn_hashes(luminance: np.ndarray) -> list[np.ndarray]:
    """64-bit DCT hashes, (n,) uint64, of each picture under each of `alignment.TURNS`.

    A flip negates the odd frequencies of its axis, and a swap of rows and columns swaps the frequencies: one transform
    serves all.
    """
    n = len(luminance)
    side = round(luminance.shape[1] ** 0.5) if luminance.size else 32
    k, x = np.arange(DCT_SIDE)[:, None], np.arange(side)[None, :]
    basis = np.cos(np.pi * k * (2 * x + 1) / (2 * side)).astype(np.float32)
    coefficients = basis @ luminance.reshape(n, side, side).astype(np.float32) @ basis.T
    sign = np.where(np.arange(DCT_SIDE) % 2, -1, 1)
    hashes = []
    for swap, down, across in TURNS:
        upright = coefficients.transpose(0, 2, 1) if swap else coefficients
        signs = (sign if down < 0 else np.ones_like(sign))[:, None] * (sign if across < 0 else np.ones_like(sign))
        turned = (upright * signs).reshape(n, DCT_SIDE**2).round(2)
        bits = turned > np.median(turned[:, 1:], axis=1, keepdims=True)
        bits[:, 0] = False
        hashes.append(np.packbits(bits, axis=1).view(">u8").reshape(n).astype(np.uint64))
    return hashes
