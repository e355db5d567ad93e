"""`assay serve`: the specs' nights on their schedules, until it is stopped, whatever else ends in between.

This process only keeps the scheduler up (`flows/scheduler.py`): when that or Prefect's server is killed or dies, what
is left of them is ended, and they are started again. The new one settles what was under way.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from flows.lifeline import end_group

STOPPING = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
LONGEST_PAUSE = 60.0  # seconds; who lived longer is started again at once
OWN_WORDS = (1, 2)  # exit statuses of the scheduler where it has said why it does not start


def keep_up(command: Sequence[str]) -> int:
    """Run a command, again and again. Returns its exit status where it fails before it was ever up: a wrong spec, a
    home that another serves, a disk that is full. Otherwise it goes on until this process is interrupted."""
    was_up, pause = False, 0.5
    while True:
        started = time.monotonic()
        child = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        try:
            status = child.wait()
        finally:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)
            end_group(child.pid)
        listen_for_stop()
        lived = time.monotonic() - started
        if status in OWN_WORDS and not was_up:
            return status
        was_up = was_up or status not in OWN_WORDS
        pause = 0.5 if lived > LONGEST_PAUSE else min(2 * pause, LONGEST_PAUSE)
        print(f"assay: the scheduler ended (status {status}) and starts again", file=sys.stderr, flush=True)
        time.sleep(pause)


def listen_for_stop() -> None:
    """Ctrl-C and SIGTERM raise `KeyboardInterrupt`; they were blocked while this process took its command's place."""
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)


def main() -> None:
    """The process that `assay serve` becomes; its arguments are the scheduler's."""
    try:
        listen_for_stop()
        status = keep_up([sys.executable, str(Path(__file__).with_name("scheduler.py")), *sys.argv[1:]])
    except KeyboardInterrupt:
        print("assay: stopped; a night that was under way goes on at the next start", file=sys.stderr, flush=True)
        status = INTERRUPTED
    sys.exit(status)


if __name__ == "__main__":
    main()
