"""`assay embedders`: what can embed what, at what size and cost."""

from assay.embedders.catalog import list_embedders

COLUMNS = ("name", "modality", "dimensions", "parameters", "gflop", "cost", "available", "needs")


def print_embedders() -> None:
    """A plain table of the known embedders on standard output."""
    rows = [COLUMNS] + [tuple(_text(row.get(column)) for column in COLUMNS) for row in list_embedders()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
