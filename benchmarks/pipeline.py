"""Whole nights on Caltech-101: the first, an unchanged one, one with 1% new files; and the model's forward pass alone.

    python benchmarks/pipeline.py FOLDER MODEL_DIRECTORY [--vit-images 256]

FOLDER is 101_ObjectCategories, MODEL_DIRECTORY an open_clip model (`local-dir:` is put before it). Each night is
`assay run` as a process of its own, Prefect's ephemeral server included. Peak memory is the process's own.
Writes benchmarks/results/pipeline.json.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "pipeline.json"
BATCH = 16

FORWARD = """
import sys, time, torch, open_clip
from concurrent.futures import ThreadPoolExecutor
name, images, batch = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model, _, _ = open_clip.create_model_and_transforms(name)
model.eval()
size = model.visual.image_size
size = size if isinstance(size, int) else size[0]
pixels = torch.rand(batch, 3, size, size)
def one(_):
    with torch.inference_mode():
        model.encode_image(pixels)
def per_image(threads, workers, rounds):
    torch.set_num_threads(threads)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, range(workers)))
        started = time.perf_counter()
        list(pool.map(one, range(rounds)))
        return (time.perf_counter() - started) / rounds / batch
rounds = max(4, images // batch)
print(min(per_image(2, 1, rounds), per_image(1, 2, rounds)))
"""


def night(spec: Path, home: Path) -> dict:
    """Seconds, seconds per stage and peak memory of one `assay run`."""
    started = time.perf_counter()
    command = ["/usr/bin/env", "time", "-f", "peak %M", sys.executable, "-m", "assay.cli", "run", str(spec)]
    if not shutil.which("time"):
        command = command[4:]
    finished = subprocess.run(
        [*command, "--home", str(home)], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - started
    stages = {name: float(s) for name, s in re.findall(r"^(\w+) done in ([\d.]+) s", finished.stderr, re.M)}
    peak = re.search(r"peak (\d+)", finished.stderr)
    return {"seconds": round(seconds, 1), "stages": stages, "peak_mb": int(peak[1]) // 1024 if peak else None}


def forward_seconds(model: str, images: int) -> float:
    """Seconds an image of the forward pass alone: the better of one worker on two threads and two on one."""
    command = [sys.executable, "-c", FORWARD, model, str(images), str(BATCH)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def add_new_files(folder: Path, share: float) -> int:
    """Write new contents beside `share` of the images: mirrored copies."""
    from PIL import Image, ImageOps

    paths = sorted(folder.rglob("*.jpg"))
    chosen = paths[:: round(1 / share)]
    for path in chosen:
        ImageOps.mirror(Image.open(path).convert("RGB")).save(path.with_name(f"new_{path.name}"), quality=90)
    return len(chosen)


def main() -> None:
    """Run, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--vit-images", type=int, default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        shutil.copytree(arguments.folder, base / "images")
        images = sum(1 for path in (base / "images").rglob("*") if path.is_file())
        spec = base / "caltech101.toml"
        spec.write_text(
            'name = "caltech101"\nmodality = "image"\n[source]\nkind = "folder"\npath = "images"\n'
            f'[embed]\nmodel = "local-dir:{arguments.model.resolve()}"\n'
        )
        forward = forward_seconds(f"local-dir:{arguments.model.resolve()}", 512) * images
        first = night(spec, base / "home")
        unchanged = night(spec, base / "home")
        added = add_new_files(base / "images", 0.01)
        one_percent = night(spec, base / "home")
    vit = forward_seconds("ViT-B-32", arguments.vit_images) * images
    rest = first["seconds"] - forward
    figures = {
        "images": images,
        "first": first,
        "unchanged": unchanged,
        "one_percent_new": one_percent | {"files": added},
        "forward_seconds": {"mobilenetv2": round(forward, 1), "ViT-B-32": round(vit, 1)},
        "rest_of_first_over_forward": {"mobilenetv2": round(rest / forward, 3), "ViT-B-32": round(rest / vit, 3)},
        "unchanged_over_first": round(unchanged["seconds"] / first["seconds"], 3),
        "one_percent_over_first": round(one_percent["seconds"] / first["seconds"], 3),
    }
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
