"""What the user sees when something goes wrong: one message, exit code 1 for a failure, 2 for usage."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING

from hgcal_gnn.errors import HgcalError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

INTERRUPTED = 130


def run_app(app: typer.Typer, arguments: Sequence[str]) -> int:
    """Run the command line on `arguments` and return the exit code.

    ``--debug`` may stand anywhere; with it, failures show their traceback.
    """
    debug = "--debug" in arguments
    logging.basicConfig(format="%(message)s", level=logging.INFO if debug else logging.WARNING, stream=sys.stderr)
    logging.getLogger("hgcal_gnn").setLevel(logging.INFO)  # what was read as what, left out or added is no debugging
    try:
        app([argument for argument in arguments if argument != "--debug"])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    except KeyboardInterrupt:
        print("Interrupted; unfinished output was removed.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader (head, less) has gone; nothing more can be said
        return 1
    except Exception as error:  # noqa: BLE001 (the last line of defence: no traceback for users)
        return _report(error, debug=debug)
    return 0


def _report(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, HgcalError):
        print(f"Error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    if isinstance(error, MemoryError):
        print("Error: not enough memory for this; work on a piece (--layers, --eta, --phi)", file=sys.stderr)
        return 1
    print(f"Error: {type(error).__name__}: {error}", file=sys.stderr)
    if not debug:
        print("This was not foreseen. Run again with --debug for the details and please report it.", file=sys.stderr)
    return 1
