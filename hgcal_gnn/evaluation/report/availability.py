"""Parts of a report that cannot be computed say so, and why; the rest goes on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from hgcal_gnn.errors import HgcalError
from hgcal_gnn.evaluation.distance import Distance

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
FEWEST = 100  # showers; with fewer, a distance says more about chance than about the samples

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NotAvailable:
    """Stands in for a result that could not be computed."""

    reason: str

    def __str__(self) -> str:
        return f"not available: {self.reason}"


def attempt(what: str, compute: Callable[[], Result], *, unless: str = "") -> Result | NotAvailable:
    """Compute one part of a report; what the data do not allow is told, and the run goes on.

    Parameters
    ----------
    what
        Named in the log.
    unless
        A reason known beforehand why it cannot be computed; empty if there is none.
    """
    if unless:
        return NotAvailable(unless)
    try:
        return compute()
    except HgcalError as error:
        reason = str(error)
    except ImportError as error:
        reason = f"{error.name or error} is not installed: pip install 'hgcal-gnn[torch]'"
    except (ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
        # an hour of other results must not be lost to numbers nobody thought of
        logger.warning("%s: %s: %s", what, type(error).__name__, error)
        logger.debug("%s", what, exc_info=True)
        reason = f"it failed with {type(error).__name__}: {error}"
    return NotAvailable(reason)


def attempt_distance(name: str, compute: Callable[[], Distance], *, unless: str = "") -> Distance:
    """Compute a distance as `attempt` does; the reason goes into the distance."""
    found = attempt(name, compute, unless=unless)
    return Distance.not_available(name, found.reason) if isinstance(found, NotAvailable) else found


def too_few(numbers: dict[str, int]) -> str:
    """Say which samples (name -> number of showers) have fewer than `FEWEST`; empty if none has."""
    few = [f"{name} has {number}" for name, number in numbers.items() if number < FEWEST]
    return f"{' and '.join(few)} of at least {FEWEST} showers" if few else ""
