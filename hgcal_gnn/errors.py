"""Errors a user can act on. The command line prints their text as it is, without a traceback."""

from __future__ import annotations


class HgcalError(Exception):
    """A failure with one clear message: what is wrong, where, and what to do."""


class UsageError(HgcalError, ValueError):
    """The request itself makes no sense (exit code 2)."""


class InputError(HgcalError, ValueError):
    """A file or an array holds data that cannot be used (exit code 1)."""


class OutputError(HgcalError, OSError):
    """A result could not be written; nothing was left behind (exit code 1)."""


class TrainingError(HgcalError, RuntimeError):
    """A training that cannot go on (exit code 1)."""


class GeometryMismatchError(InputError):
    """Data made with one geometry were given to another (their ``cells_sha256`` differ)."""
