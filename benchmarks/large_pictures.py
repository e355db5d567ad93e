"""Peak memory of one very large picture: measured as a night does, by kind of file.

    python benchmarks/large_pictures.py [--side 13000]

Each kind is made in a process of its own, and measured in another, whose peak resident memory is printed, less what it
had before and less the file, with the seconds and what was done to the picture.
"""

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

KINDS = {
    "RGB, PNG": ("RGB", "PNG"),
    "RGB with alpha, PNG": ("RGBA", "PNG"),
    "grey with alpha, PNG": ("LA", "PNG"),
    "grey of 16 bits, PNG": ("I;16", "PNG"),
    "colours of 16 bits, PNG": ("RGB16", "PNG"),
    "floats, TIFF": ("F", "TIFF"),
    "palette, PNG": ("P", "PNG"),
    "RGB, JPEG": ("RGB", "JPEG"),
    "CMYK, JPEG": ("CMYK", "JPEG"),
}


def make(mode: str, kind: str, side: int, path: Path) -> None:
    """A picture of slow waves, half transparent where it can be."""
    wave = np.add.outer(np.arange(side) // 7, np.arange(side) // 11).astype(np.uint8)
    if mode == "RGB16":
        write_png16(wave, path)
        return
    if mode == "I;16":
        image = Image.fromarray(wave.astype(np.uint16) * 200)
    elif mode == "F":
        image = Image.fromarray(wave.astype(np.float32))
    else:
        grey = Image.fromarray(wave)
        image = grey.convert(mode)
        if "A" in mode:
            image.putalpha(grey)
    Image.MAX_IMAGE_PIXELS = None
    image.save(path, kind, **({"compress_level": 1} if kind == "PNG" else {}))


def write_png16(wave: np.ndarray, path: Path) -> None:
    """16 bits a colour, which Pillow does not write."""
    import struct
    import zlib

    deflate, body = zlib.compressobj(1), io.BytesIO()
    for row in wave:
        colours = np.stack([row, row[::-1], row], axis=1).astype(">u2") * 201
        body.write(deflate.compress(b"\0" + colours.astype(">u2").tobytes()))
    body.write(deflate.flush())
    side = len(wave)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", body.getvalue()) + chunk(b"IEND", b""))


def measure_one(path: Path) -> None:
    """In this process; prints what it took."""
    from assay.contracts.errors import UnreadableSample
    from assay.contracts.spec import Clean
    from assay.modalities.image.facts import measure

    data = path.read_bytes()
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    try:
        found = measure(data, max_pixels=Clean().max_pixels)
        said = f"{found.width} × {found.height}: {', '.join(found.changes) or 'as it is'}"
    except UnreadableSample as error:
        said = f"refused: {error}"
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps({"peak_mb": peak, "seconds": round(time.monotonic() - began, 1), "said": said}))


def main() -> None:
    """One line a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=13_000)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.make:
        make(chosen.make[0], chosen.make[1], chosen.side, Path(chosen.make[2]))
        return
    if chosen.measure:
        measure_one(Path(chosen.measure))
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, (mode, kind) in KINDS.items():
            path = str(Path(folder) / "picture")
            call = [sys.executable, __file__, "--side", str(chosen.side)]
            subprocess.run([*call, "--make", mode, kind, path], check=True)
            said = subprocess.run([*call, "--measure", path], check=True, capture_output=True, text=True).stdout
            print(f"{name:28} {said.strip()}", flush=True)


if __name__ == "__main__":
    main()
