"""How captions are identified: by the hash of their words, with runs of blanks as one."""

import polars as pl

from assay.store.files import hash_text


def texts_of(samples: pl.DataFrame) -> pl.Series:
    """(n,) the captions with runs of blanks as one; empty where there is none."""
    texts = samples["text"].cast(pl.String).fill_null("")
    return texts.str.replace_all(r"\s+", " ").str.strip_chars()


def caption_hashes(samples: pl.DataFrame) -> pl.Series:
    """(n,) the hash of each caption; null where there is none."""
    hashes = [hash_text(text) if text else None for text in texts_of(samples)]
    return pl.Series("content_hash", hashes, dtype=pl.String)
