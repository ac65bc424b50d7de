"""Owns the progress bar of long runs."""

from __future__ import annotations

#: Seconds before a bar appears: what is done sooner needs none.
_PATIENCE = 2.0


def progress(steps, total, unit):
    """Return `steps`, with a progress bar where it takes long, tqdm is installed and somebody watches.

    A bar shows on a terminal only: never in a notebook, a log or a test.
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return steps
    # With disable=None the bar is off unless stderr is a terminal.
    return tqdm(steps, total=total, unit=f" {unit}", delay=_PATIENCE, disable=None, leave=False)
