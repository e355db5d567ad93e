"""How much longer the embed stage takes than the model's forward pass alone, on the same images in the same batches.

    python benchmarks/embed_overhead.py FOLDER_OF_IMAGES local-dir:MODEL [--images 512]
    python benchmarks/embed_overhead.py FOLDER_OF_IMAGES ViT-B-32 --images 512      random weights, for timing only

Prints seconds, by the wall clock and of the processor (which other work on the machine disturbs less), of: the stage
(reading, decoding, resizing, forward, writing facts and health); the forward pass of the same prepared batches on the
same threads; and open_clip's plain `encode_image` with all of torch's threads.
"""

import argparse
import json
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import open_clip
import polars as pl
import torch
from safetensors.torch import save_file

from assay.contracts.spec import make_spec
from assay.embedders.base import cpu_workers
from assay.embedders.registry import make_embedder
from assay.embedders.stage import embed
from assay.store.files import hash_bytes
from assay.store.stage import StageOutput, run_stage, write_rows
from assay.store.workspace import Workspace


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("model")
    arguments.add_argument("--images", type=int, default=0, help="evenly spread over the folder; 0: all")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(given.folder.resolve(), given.model, given.images, Path(scratch))


def measure(folder: Path, model: str, n_images: int, scratch: Path) -> None:
    """Print the three times and the ratio."""
    if not model.startswith("local-dir:"):
        model = f"local-dir:{random_model(model, scratch / 'model')}"
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    files = files[:: max(len(files) // n_images, 1)][:n_images] if n_images else files
    values = {"name": "overhead", "modality": "image", "source": {"kind": "folder", "path": str(folder)}}
    model = f"local-dir:{Path(model.removeprefix('local-dir:')).resolve()}"
    spec = make_spec({**values, "embed": {"model": model}}, folder)
    workspace = Workspace(scratch / "home", "overhead")
    cleaned = samples_of(workspace, folder, files)

    started = now()
    embedder = make_embedder(spec, workspace)
    embedder.load()
    loading = now() - started
    forward = forward_seconds(embedder, files)
    plain = plain_seconds(model, embedder, files[:512]) * len(files) / min(len(files), 512)
    started = now()
    embed(spec, workspace, cleaned, cleaned)
    stage = now() - started
    print(f"{len(files)} images, {model}, {cpu_workers()} workers, batches of {embedder.batch_size}")
    print("                               wall clock   processor")
    for name, (wall, processor) in {
        "load the model": loading,
        "forward pass, same threads": forward,
        "forward pass, open_clip's own": plain,
        "embed stage": stage,
        "embed stage − forward pass": stage - forward,
    }.items():
        print(f"  {name:<30}{wall:8.2f} s  {processor:8.2f} s")
    wall, processor = (stage - forward) / forward
    print(
        f"  all but the forward pass, as a share of it: {wall:.1%} by the wall clock, {processor:.1%} of the processor"
    )


def now() -> np.ndarray:
    """Seconds of the wall clock and of this process's processor time."""
    return np.array([time.perf_counter(), time.process_time()])


def random_model(name: str, folder: Path) -> Path:
    """A folder in open_clip's format with random weights."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(open_clip.create_model(name).state_dict(), folder / "open_clip_model.safetensors")
    return folder


def samples_of(workspace: Workspace, folder: Path, files: list[Path]) -> StageOutput:
    """What ingest and clean would say of the files."""
    hashes = [hash_bytes(path.read_bytes()) for path in files]
    rows = {
        "sample_id": [f"{row:08d}" for row in range(len(files))],
        "position": list(range(len(files))),
        "uri": [path.relative_to(folder).as_posix() for path in files],
        "content_hash": hashes,
        "modality": ["image"] * len(files),
        "label": [path.parent.name for path in files],
        "split": pl.Series([None] * len(files), dtype=pl.String),
        "size_bytes": [path.stat().st_size for path in files],
    }
    return run_stage(
        workspace, "clean", version=1, tables=("samples",), config={"hashes": hashes}, inputs=[],
        body=lambda writer: write_rows(writer, "samples", pl.DataFrame(rows)),
    )  # fmt: skip


def forward_seconds(embedder, files: list[Path]) -> np.ndarray:
    """Seconds of the forward passes alone: batches prepared beforehand, a block of them at a time."""
    size, total = embedder.batch_size, np.zeros(2)
    with ThreadPoolExecutor(cpu_workers(), initializer=embedder.start_thread) as pool:
        for start in range(0, len(files), 64 * size):
            items = [path.read_bytes() for path in files[start : start + 64 * size]]
            prepared = list(pool.map(embedder.prepare, items))
            batches = [prepared[at : at + size] for at in range(0, len(prepared), size)]
            stacked = [(embedder.collate(batch), len(batch)) for batch in batches]
            if start == 0:
                embedder.launch(*stacked[0])()
            started = now()
            list(pool.map(lambda pair: embedder.launch(*pair)(), stacked))
            total += now() - started
    embedder.finish()
    return total


def plain_seconds(model: str, embedder, files: list[Path]) -> np.ndarray:
    """open_clip's `encode_image` as its documentation calls it, batches of 32 prepared beforehand."""
    plain = open_clip.create_model(model).eval()
    pixels = torch.stack([torch.tensor(embedder.prepare(path.read_bytes())) for path in files])
    pixels = pixels.permute(0, 3, 1, 2).contiguous().float() / 255
    with torch.inference_mode():
        plain.encode_image(pixels[:32])
        started = now()
        for start in range(0, len(pixels), 32):
            plain.encode_image(pixels[start : start + 32])
        return now() - started


if __name__ == "__main__":
    main()
