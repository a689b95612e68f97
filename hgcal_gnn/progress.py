"""Progress bars on standard error: shown on a terminal only, and only for work over two seconds."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress_bar(description: str, *, total: float | None = None, unit: str = "it", **options: Any) -> tqdm[Any]:
    """Return a tqdm bar that stays silent when standard error is not a terminal.

    Parameters
    ----------
    description
        What is being done, shown left of the bar.
    total
        Number of units, if known.
    unit
        Name of one unit ("shower", "cell", "file").
    options
        Further arguments of `tqdm.tqdm`, an iterable for instance.
    """
    return tqdm(
        desc=description,
        total=total,
        unit=unit,
        delay=2.0,
        leave=False,
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
        **options,
    )
