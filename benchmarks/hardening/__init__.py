"""What assay is put through, and what it lost: one file a kind of harm. `python -m benchmarks.hardening --help`."""
