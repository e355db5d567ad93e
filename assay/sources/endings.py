"""Endings of file names, by kind; an ending that nobody knows is tried."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


IMAGE = _set(
    "jpg jpeg jpe jfif png gif bmp dib webp tif tiff avif heic heif jp2 j2k jxl ppm pgm pbm pnm ico tga svg raw cr2 "
    "cr3 nef arw dng"
)
SOUND = _set("wav mp3 flac ogg oga opus m4a aac aif aiff wma")
VIDEO = _set("mp4 m4v mov avi mkv webm mpg mpeg wmv flv")
MARKUP = _set(
    "txt md rst xml json jsonl ndjson yaml yml toml ini cfg conf csv tsv html htm log tex bib srt vtt lab names"
)
CODE = _set("py ipynb sh bat js css c h cpp java m r sql lock")
OTHER = _set(
    "parquet pq arrow feather npy npz pt pth ckpt safetensors onnx h5 hdf5 tfrecord tfrecords tfindex db sqlite duckdb "
    "pdf doc docx xls xlsx ppt pptx zip tar gz tgz bz2 xz 7z rar md5 sha1 sha256 crc idx part tmp bak dvc pkl pickle "
    "mat"
)
