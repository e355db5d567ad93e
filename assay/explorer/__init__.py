"""The explorer: a web page over published snapshots, on this machine. `assay/explorer/serve.py` starts it.

guard      who may ask: Host, Origin, token, response headers
columns    one snapshot in memory: ids, coordinates, and each column as one array
sampling   which of a million points a browser draws
selection  a filter (lasso, ranges, values, words, similarity) → rows, over all points
facts      thumbnails, texts and vectors of some rows, from the facts
samples    one sample: cards, detail, raw bytes, history
tables     confusion matrix, duplicate groups, leaks, rejects, class tables
compare    two snapshots
takeaway   a selection or the cleaned dataset as Parquet, CSV or JSONL
server     the HTTP routes;  export: the same page as one static file
"""
