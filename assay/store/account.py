"""The account that a process runs under, as the system knows it."""

import getpass
import os


def account() -> str:
    """The name of this process's account, or `uid N` where it has none.

    Not taken from the environment, which anybody may set, because decisions carry this name.
    """
    try:
        import pwd
    except ImportError:  # Windows
        return getpass.getuser()
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
