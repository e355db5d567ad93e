"""What a GPU gives: is it right, and how fast? One table, within eight minutes.

    python benchmarks/gpu.py [--images 20000] [--only right,memory,model,stage,graph,probe,umap,night]
                             [--real FOLDER] [--out FILE]

Needs torch with CUDA, torchvision and open_clip, and makes all data itself: JPEGs of 500 × 375 pixels, and a ViT-B/32
of random weights; `--real` names a folder with `pictures/` and an open_clip folder `model/`, to compare decoders on.
`right`: vectors and neighbours beside the CPU's. `memory`: the model's weights and 64 MiB are all there is. `model`:
the forward pass alone; and one plain loop of nvJPEG, resize and forward, nothing overlapped, as the peer. `stage`:
JPEGs to stored vectors. `graph`: 1 M × 512, k 50. `probe`: 200,000 × 256, 100 classes. `umap`: 20,000 × 512 on the
CPU. `night`: all stages, a first night and an unchanged one. Writes benchmarks/results/gpu.json, or `--out`.
"""

import argparse
import contextlib
import json
import logging
import multiprocessing
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from safetensors.torch import save_file
from torchvision.io import ImageReadMode, decode_jpeg

from assay.contracts.spec import Spec, make_spec
from assay.embedders.pipeline import CHUNK, Files, embed_contents
from assay.embedders.registry import make_embedder
from assay.knn.blocked import blocked_knn, kth_similarity, recall
from assay.knn.on_gpu import knn_on_gpu
from assay.modalities.contents import open_reader
from assay.night import run_night
from assay.sources.files import open_source
from assay.store.facts import FactStore
from assay.store.files import hash_bytes
from assay.store.machine import cores
from assay.store.workspace import Workspace

RESULTS = Path(__file__).parent / "results" / "gpu.json"
MODEL, SIZE, CLASSES = "ViT-B-32", (500, 375), 10
PARTS = ("right", "memory", "model", "stage", "graph", "probe", "umap", "night")
SPARE_BYTES = 64 * 2**20


class Results:
    """Rows of the table, printed as they come and kept as JSON."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, list[dict[str, Any]]()
        self.machine = {
            "gpu": torch.cuda.get_device_name(),
            "cores": cores(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        }

    def add(self, what: str, value: float, unit: str, wanted: str = "", note: str = "") -> None:
        """One row."""
        self.rows.append({"what": what, "value": value, "unit": unit, "wanted": wanted, "note": note})
        print(f"  {what}: {value:,.6g} {unit} {note}", flush=True)
        self.path.write_text(json.dumps({"machine": self.machine, "rows": self.rows}, indent=1) + "\n")

    def show(self) -> None:
        """All rows as one table."""
        table = Table("what", "found", "unit", "wanted", "note", title=str(self.machine))
        for row in self.rows:
            table.add_row(row["what"], f"{row['value']:,.6g}", row["unit"], row["wanted"], row["note"])
        Console(width=160).print(table)


def write_pictures(folder: Path, numbers: range) -> None:
    """JPEGs like photos, about 33 KB each: smooth areas, edges and grain, in a colour of their class."""
    for number in numbers:
        rng = np.random.default_rng(number)
        kind = number % CLASSES
        place = folder / f"class_{kind}" / f"{number:06d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
        coarse[:, :, kind % 3] = (coarse[:, :, kind % 3] // 4) + 18 * kind
        image = np.asarray(Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)).astype(np.float32)
        fine = rng.integers(-40, 41, (SIZE[1] // 4 + 1, SIZE[0] // 4 + 1)).repeat(4, axis=0).repeat(4, axis=1)
        image += fine[: SIZE[1], : SIZE[0], None] + 6.0 * rng.standard_normal((SIZE[1], SIZE[0], 1), dtype=np.float32)
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(place, quality=72)


def make_pictures(folder: Path, n: int) -> None:
    """`n` files in CLASSES folders, by all cores."""
    step = 250
    with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("fork")) as pool:
        jobs = [pool.submit(write_pictures, folder, range(at, min(at + step, n))) for at in range(0, n, step)]
        for job in jobs:
            job.result()


def make_model(folder: Path) -> None:
    """An open_clip folder of random weights."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = open_clip.create_model(MODEL)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    config = {
        "model_cfg": open_clip.get_model_config(MODEL),
        "preprocess_cfg": {"mean": mean, "std": std, "interpolation": "bicubic", "resize_mode": "shortest"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(
        {name: part.contiguous() for name, part in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )


def spec_of(root: Path, **embed: Any) -> Spec:
    """The spec of the folder of pictures."""
    return make_spec(
        {
            "name": "gpu",
            "modality": "image",
            "source": {"kind": "folder", "path": "pictures"},
            "embed": {"model": "local-dir:model", **embed},
        },
        base=root,
    )


def cosines(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Row by row."""
    return (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)


def seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Wall time of `work`, the GPU's included, the best of some."""
    found = []
    for _ in range(times):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - started)
    return min(found)


def clustered(n: int, d: int, modes: int = 20_000) -> np.ndarray:
    """Vectors of length 1 around some modes, with copies."""
    made = torch.Generator(device="cuda").manual_seed(0)
    centres = torch.randn((modes, d), generator=made, device="cuda")
    found = np.empty((n, d), dtype=np.float32)
    for start in range(0, n, 100_000):
        size = min(100_000, n - start)
        mode = torch.randint(0, modes, (size,), generator=made, device="cuda")
        rows = centres[mode] + torch.randn((size, d), generator=made, device="cuda")
        rows[: size // 100] = rows[-(size // 100) :]
        found[start : start + size] = torch.nn.functional.normalize(rows).cpu().numpy()
    return found


def right(results: Results, root: Path) -> None:
    """Vectors and neighbours beside the CPU's."""
    some = [file.read_bytes() for file in sorted((root / "pictures").rglob("*.jpg"))[:256]]
    space = Workspace(root / "home-right", "gpu")
    wanted = make_embedder(spec_of(root, device="cpu", precision="fp32", batch_size=32), space).encode(some)
    for precision, limit in (("fp32", ">= .9999"), ("fp16", ">= .9999"), ("bf16", ">= .9999")):
        found = make_embedder(spec_of(root, precision=precision, decode="cpu"), space).encode(some)
        results.add(f"cosine with the CPU, {precision}", float(cosines(found, wanted).mean()), "mean", limit,
                    f"least {cosines(found, wanted).min():.6f}")  # fmt: skip
    decoders(results, root, "noise, random weights")
    vectors = clustered(20_000, 512, 500)
    near, _ = blocked_knn(vectors, 50, device="cpu")
    mine, _ = knn_on_gpu(vectors, 50)
    same = np.mean([len(np.intersect1d(a, b)) / 50 for a, b in zip(near, mine, strict=True)])
    results.add("neighbours equal to the CPU's, 20,000", float(same), "share", ">= .999")


def decoders(results: Results, root: Path, what: str) -> None:
    """Vectors of the same files by nvJPEG and by Pillow."""
    names = sorted((root / "pictures").rglob("*.jpg"))[:256]
    some = [file.read_bytes() for file in names]
    uris = [file.relative_to(root / "pictures").as_posix() for file in names]
    embedder: Any = make_embedder(spec_of(root, precision="fp32"), Workspace(root / "home-decoders", "gpu"))
    embedder.load()
    contents = [(hash_bytes(data), [uri]) for data, uri in zip(some, uris, strict=True)]
    batch, rows, _ = embedder.decode(list(embedder.read_pictures(open_source(spec_of(root)), contents)))
    found = cosines(embedder.launch(batch, len(rows))(), embedder.encode([some[row] for row in rows]))
    note = f"{what}; least {found.min():.6f} of {len(rows)}"
    results.add("cosine of nvJPEG's pixels with Pillow's", float(found.mean()), "mean", ">= .999", note)


def memory(results: Results, root: Path) -> None:
    """Nearly no memory left: the batch shrinks, the vectors stay."""
    some = [file.read_bytes() for file in sorted((root / "pictures").rglob("*.jpg"))[:1024]]
    embedder = make_embedder(
        spec_of(root, precision="fp16", decode="cpu", batch_size=1024), Workspace(root / "home-m", "gpu")
    )
    embedder.load()
    wanted = embedder.encode(some)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    filler = torch.empty(free - SPARE_BYTES, dtype=torch.uint8, device="cuda")
    found = embedder.encode(some)
    del filler
    torch.cuda.empty_cache()
    results.add("batch that fits into 64 MiB", embedder.batch_size, "images", "< 1024", "asked for 1,024")
    results.add("cosine after the batch was halved", float(cosines(found, wanted).min()), "least", ">= .9999")


def model(results: Results, root: Path) -> None:
    """The forward pass alone, and the plain loop."""
    for precision in ("fp16", "bf16"):
        embedder = make_embedder(spec_of(root, precision=precision), Workspace(root / "home-model", "gpu"))
        embedder.load()
        pixels = torch.randint(0, 256, (1024, 224, 224, 3), dtype=torch.uint8, device="cuda")

        def forward(embedder: Any = embedder, pixels: Any = pixels) -> None:
            with torch.inference_mode():
                for _ in range(10):
                    embedder._forward(pixels)

        forward()
        rate = 10 * 1024 / seconds(forward, 3)
        results.add(f"the model alone, {precision}", rate, "images/s", ">= 33,000", "uint8 to vector, batches of 1,024")
    files = [np.fromfile(file, dtype=np.uint8) for file in sorted((root / "pictures").rglob("*.jpg"))[:4096]]
    forward_model, geometry = embedder, embedder._geometry

    def loop() -> None:
        with torch.inference_mode():
            for start in range(0, len(files), 1024):
                data = [torch.from_numpy(one) for one in files[start : start + 1024]]
                pictures = torch.stack(decode_jpeg(data, mode=ImageReadMode.RGB, device="cuda"))
                forward_model._forward(geometry.in_torch(pictures).permute(0, 2, 3, 1)).float().cpu()

    def decoder() -> None:
        for start in range(0, len(files), 1024):
            decode_jpeg(
                [torch.from_numpy(one) for one in files[start : start + 1024]], mode=ImageReadMode.RGB, device="cuda"
            )

    loop()
    results.add(
        "a plain loop of nvJPEG, resize, forward", len(files) / seconds(loop, 2), "images/s", "", "files in memory"
    )
    results.add("nvJPEG alone", len(files) / seconds(decoder, 2), "images/s")


def stage(results: Results, root: Path) -> None:
    """JPEGs to stored vectors: once with the start, then warm; and by Pillow on threads."""
    spec = spec_of(root)
    names = sorted((root / "pictures").rglob("*.jpg"))
    started = time.perf_counter()
    listed = [(hash_bytes(file.read_bytes()), file.relative_to(root / "pictures").as_posix()) for file in names]
    results.add("reading and hashing, one thread", len(names) / (time.perf_counter() - started), "images/s")
    source = open_source(spec)
    files = Files({name: [uri] for name, uri in listed}, open_reader(spec, source), source)
    hashes = [name for name, _ in listed]

    def run(embedder: Any, count: int, name: str, times: int = 1) -> float:
        chunks = [hashes[at : min(at + CHUNK, count)] for at in range(0, count, CHUNK)] * times
        store = FactStore(Workspace(root / name, "gpu"), "vectors", embedder.fingerprint)
        return seconds(lambda: embed_contents(embedder, chunks, files, {}, store, "float32", name))

    embedder = make_embedder(spec, Workspace(root / "home-stage", "gpu"))
    took = run(embedder, len(hashes), "cold")
    results.add("JPEG to stored vector, with all the start", len(hashes) / took, "images/s", "", f"{took:.1f} s")
    once = run(embedder, len(hashes), "once")
    took = run(embedder, len(hashes), "often", 4) - once
    note = f"three times {len(hashes):,}, without the start of workers"
    results.add("JPEG to stored vector, once it runs", 3 * len(hashes) / took, "images/s", ">= 12,000", note)
    contents = [(name, files.places[name]) for name in hashes]
    results.add("reading ahead by processes", _reading(embedder, source, contents), "images/s")
    results.add("decoding and resizing, from memory", _decoding(embedder, source, contents), "images/s")
    threads = make_embedder(spec_of(root, decode="cpu"), Workspace(root / "home-stage", "gpu"))
    threads.load()
    results.add("the same with Pillow on threads", 4096 / run(threads, 4096, "threads"), "images/s")


def _decoding(embedder: Any, source: Any, contents: list[Any]) -> float:
    """Pictures a second that one thread decodes and resizes on the GPU."""
    found = embedder.read_pictures(source, contents[:4096])
    pictures = [replace(picture, data=bytes(picture.data)) for picture in found]
    batches = [pictures[at : at + 1024] for at in range(0, len(pictures), 1024)]

    def decode() -> None:
        for batch in batches:
            embedder.decode(batch)

    decode()
    return len(pictures) / seconds(decode, 2)


def _reading(embedder: Any, source: Any, contents: list[Any]) -> float:
    """Pictures a second that worker processes hand over, once they run."""
    pictures = embedder.read_pictures(source, contents)
    for _ in range(2_000):
        next(pictures)
    started = time.perf_counter()
    return sum(1 for _ in pictures) / (time.perf_counter() - started)


def graph(results: Results, root: Path) -> None:
    """The exact graph of a million vectors."""
    for n, modes in ((200_000, 20_000), (1_000_000, 20_000)):
        vectors = clustered(n, 512, modes)
        found: list[Any] = []
        took = seconds(lambda vectors=vectors, found=found: found.append(knn_on_gpu(vectors, 50)))
        rows = np.sort(np.random.default_rng(0).choice(n, 500, replace=False))
        share = recall(found[0][0][rows], vectors, rows, kth_similarity(vectors, rows, 50))
        results.add(f"graph of {n:,} × 512, k 50", took, "s", "<= 6" if n == 1_000_000 else "", f"recall {share:.5f}")


def probe(results: Results, root: Path) -> None:
    """The label probe of the metrics, on the GPU and on the CPU."""
    from assay.metrics import training
    from assay.metrics.probe import Problem, train

    n, classes = 200_000, 100
    rng = np.random.default_rng(0)
    label = rng.integers(0, classes, n)
    features = (0.3 * rng.standard_normal((classes, 256))[label] + rng.standard_normal((n, 256))).astype(np.float32)
    problem = Problem(features, np.arange(n), label, np.ones(n, dtype=np.float32), rng.integers(0, 5, n), classes, 5)
    weights: list[Any] = []
    took = seconds(lambda: weights.append(train(problem, 1.0)))
    results.add("label probe on the GPU", took, "s", "", "200,000 × 256, 100 classes, 5 folds")
    training.GPU_FROM = float("inf")
    took = seconds(lambda: weights.append(train(problem, 1.0)))
    results.add("label probe on the CPU", took, "s")
    apart = float((weights[0] - weights[1]).norm() / weights[1].norm())
    results.add("difference of the probe's weights", apart, "relative")


def umap(results: Results, root: Path) -> None:
    """UMAP runs on the CPU."""
    from umap import UMAP

    vectors = clustered(20_000, 512, 500)
    took = seconds(lambda: UMAP(n_neighbors=15, random_state=0).fit_transform(vectors))
    results.add("UMAP of 20,000 × 512 on the CPU", took, "s")


def compile_umap() -> None:
    """Numba compiles UMAP once on a machine, which takes longer than a night; it is kept on disk."""
    from assay.layouts.fit import umap_coordinates

    rows = np.stack([np.roll(np.arange(300), -shift) for shift in range(1, 16)], axis=1).astype(np.int32)
    umap_coordinates(rows, np.full((300, 15), 0.5, np.float32), np.random.default_rng(0).random((300, 2)), 15, 0.1, 0)


def night(results: Results, root: Path) -> None:
    """A first night and an unchanged one; UMAP is compiled already."""
    results.add("compiling UMAP, once on a machine", seconds(compile_umap), "s")
    space = Workspace(root / "home-night", "gpu")
    for name, wanted in (("first", "<= 30"), ("unchanged", "")):
        took: dict[str, float] = {}

        def run(part: Any, *arguments: Any, took: Any = took) -> Any:
            started = time.perf_counter()
            found = part(*arguments)
            took[part.name] = time.perf_counter() - started
            return found

        whole = seconds(lambda run=run: run_night(spec_of(root), space, run=run))
        note = ", ".join(f"{part} {value:.1f}" for part, value in took.items() if value >= 0.05)
        results.add(f"{name} night", whole, "s", wanted, note)


def main() -> None:
    """The parts that were asked for, and their table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--real", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    logging.disable(logging.WARNING)  # open_clip tells that weights are random
    results = Results(asked.out)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        root = Path(folder)
        results.add("making the pictures", seconds(lambda: make_pictures(root / "pictures", asked.images)), "s")
        results.add("making the model", seconds(lambda: make_model(root / "model")), "s")
        if asked.real:
            decoders(results, asked.real, "real")
        for name in asked.only.split(","):
            print(name, flush=True)
            try:
                globals()[name](results, root)
            except Exception as error:  # the next part may work
                results.add(f"{name} failed", float("nan"), "", "", f"{type(error).__name__}: {error}"[:300])
    results.show()


if __name__ == "__main__":
    main()
