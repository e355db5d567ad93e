"""Image near duplicates: candidates from the kNN graph and from hashes of turned pictures, aligned, then confirmed."""

import importlib
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from assay.contracts.spec import Spec
from assay.contracts.tables import empty
from assay.engines.job import Job, make_engine, told_of, told_spec, wait_for_facts
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
PAIRS = 256  # that are sent to another machine at a time


class Pictures:
    """Confirms pairs of samples: aligned on their thumbnails, decoded when asked for, then compared on their files.

    What a pair came to is kept as a fact, so that a night aligns only the pairs that are new.
    """

    method = 4
    rings = ((10, 0.8), (5, 2.5))
    facts = "image_facts"

    def __init__(self, spec: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> None:
        self._spec, self._samples, self._tables, self._workspace = spec, samples, tables, workspace
        self._engine = make_engine(spec.run)
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
        if self._engine.elsewhere:
            self._send(left[new], right[new], names.gather(new))
        else:
            self._keep(left[new], right[new], names.gather(new))
        return pl.DataFrame({name: self._matches.lookup(names, name) for name in ("similarity", "turn")})

    def _keep(self, left: np.ndarray, right: np.ndarray, names: pl.Series) -> None:
        """Compare pairs, and keep what they came to."""
        similarity, turn = self._compare(left, right)
        found = pl.DataFrame({"content_hash": names, "similarity": similarity, "turn": turn})
        self._matches.append(found.unique("content_hash", keep="first", maintain_order=True))

    def _send(self, left: np.ndarray, right: np.ndarray, names: pl.Series) -> None:
        """Have pairs compared on the engine of the spec, `PAIRS` in a chunk, each with its samples."""

        def pack(start: int, stop: int) -> dict[str, Any]:
            ends = [side[start * PAIRS : stop * PAIRS] for side in (left, right)]
            rows = np.unique(np.concatenate(ends))
            buffer = io.BytesIO()
            self._samples[rows].write_ipc(buffer)
            one, other = (np.searchsorted(rows, side).tolist() for side in ends)
            return {"samples": buffer.getvalue(), "left": one, "right": other}

        place = f"{type(self).__module__}:{type(self).__qualname__}"
        told = told_of(self._spec, self._workspace, self._tables.outputs)
        told |= {"class": place, "stage": self._tables.stage, "reads": sorted(self._tables.reads)}
        sizes = [min(PAIRS, len(left) - start) for start in range(0, len(left), PAIRS)]
        label = "pairs of pictures compared"
        for _ in self._engine.run(Job(label, sizes, lambda: None, f"{__name__}:open_comparing", told, pack)):
            pass
        wait_for_facts(self._matches, names)

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


def open_comparing(told: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], None]:
    """A function that compares the pairs of a partition, and keeps what they came to as facts."""
    spec, workspace, outputs = told_spec(told)
    module, _, name = told["class"].partition(":")
    kind, tables = getattr(importlib.import_module(module), name), Tables(told["stage"], told["reads"], outputs)

    def compare(partition: Mapping[str, Any]) -> None:
        samples = pl.read_ipc(io.BytesIO(partition["samples"]))
        pictures = kind(spec, samples, tables, workspace)
        pictures.tiers(np.array(partition["left"], dtype=np.int64), np.array(partition["right"], dtype=np.int64))

    return compare


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
