"""Options that take several values after one another: ``--batch-sizes 1 10 100``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


class VariadicCommand(TyperCommand):
    """A command whose list options may be given once with several values.

    The values end at the next option; after a number also at what is none, so that an argument may follow.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the name of a list option before each of its values."""
        names = {name for option in self.params if getattr(option, "multiple", False) for name in option.opts}
        return super().parse_args(ctx, list(_repeated(args, names)))


def _repeated(words: Sequence[str], names: Collection[str]) -> Iterator[str]:
    """Turn --name 1 2 into --name 1 --name 2."""
    option = before = ""
    for word in words:
        if word.startswith("-") and word != "-" and not _is_number(word):
            option, before = (word if word in names else ""), ""
            yield word
            continue
        if before and _is_number(before) and not _is_number(word):
            option = ""
        if option and before:
            yield option
        before = word
        yield word


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
