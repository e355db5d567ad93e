"""Files that end whoever reads them, as a decoder may die of one."""

import os
import signal

from assay.sources.files import LocalSource


class Deadly(LocalSource):
    """A source of whose files some kill the process that reads them."""

    def read(self, uri: str) -> bytes:
        if "deadly" in uri:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().read(uri)
