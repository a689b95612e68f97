"""Which process of a run this is."""

from __future__ import annotations

import os


def is_first_process() -> bool:
    """Tell whether this is the only process of a run, or the first of those that train together.

    The others know from torchrun or SLURM, or from the first one, which starts them.
    """
    ranks = [os.environ[name] for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK") if name in os.environ]
    return not ranks or ranks[0] == "0"
