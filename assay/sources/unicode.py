"""Text that is no Unicode. Apart from the columns, so that a worker that reads Parquet starts without Polars."""


def is_unicode(text: str) -> bool:
    """Whether a string is valid Unicode: no lone surrogates."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """`text` with lone surrogates written out, so that it can be stored."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
