"""`assay`, and `python -m assay`: stopping works from the first moment, before anything else is imported."""

from assay.stopping import end_when_asked


def main() -> None:
    """The command line."""
    end_when_asked()
    from assay.cli import command_line

    command_line()


if __name__ == "__main__":
    main()
