"""A small model of open_clip's form with two towers that was taught which words go with which digit."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from assay.modalities.image.digits import digit_samples
from assay.modalities.pairs.example import NAMES, SAYS

TWO_TOWERS = {
    "model_cfg": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"},
}


def write_two_towers(folder: Path, steps: int) -> Path:
    """The model in its folder; after 0 steps its weights are random, after 200 it knows most digits."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    (folder / "open_clip_config.json").write_text(json.dumps(TWO_TOWERS), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, _, look = open_clip.create_model_and_transforms(f"local-dir:{folder}", load_weights=False)
        if steps:
            _teach(model, look, open_clip.get_tokenizer(f"local-dir:{folder}"), steps)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def _teach(model, look, tokenizer, steps: int) -> None:
    """Contrastive learning; all captions of one digit are right for all its pictures."""
    import torch

    samples, rng = digit_samples(0), np.random.default_rng(0)
    digit = np.array([int(sample.label) for sample in samples])
    pixels = torch.stack([look(Image.open(io.BytesIO(sample.content))) for sample in samples])
    words = tokenizer([say.format(name) for name in NAMES for say in SAYS]).reshape(len(NAMES), len(SAYS), -1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    for _ in range(steps):
        rows = rng.choice(len(digit), 64, replace=False)
        shown, told, scale = model(pixels[rows], words[digit[rows], rng.integers(0, len(SAYS), 64)])[:3]
        logits = scale * shown @ told.T
        same = torch.tensor(digit[rows][:, None] == digit[rows], dtype=torch.float32)
        same /= same.sum(dim=1, keepdim=True)
        loss = -(same * (logits.log_softmax(1) + logits.T.log_softmax(1))).sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
