"""Pages of the examples: scripts in percent format, as text and code. The test suite runs them; building does not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CELL = re.compile(r"^# %%(?P<markdown> \[markdown\])?.*\n", re.MULTILINE)
FOOT = """
---

The whole script: `examples/{name}`. It runs as it stands, and opens as a notebook in VS Code, or in Jupyter with
jupytext.
"""


def pages(folder: Path) -> dict[str, str]:
    """Return one page per script of a folder."""
    scripts = sorted(folder.glob("*.py"))
    return {f"examples/{path.stem}.md": as_markdown(path.read_text("utf-8"), path.name) for path in scripts}


def as_markdown(script: str, name: str) -> str:
    """Turn cells of text into Markdown and cells of code into code blocks."""
    parts = []
    starts = list(CELL.finditer(script))
    for start, following in zip(starts, [*starts[1:], None], strict=True):
        body = script[start.end() : following.start() if following else None].strip("\n")
        if start["markdown"]:
            parts.append("\n".join(line.removeprefix("#").removeprefix(" ") for line in body.splitlines()))
        elif body:
            parts.append(f"```python\n{body}\n```")
    return "\n\n".join(parts) + "\n" + FOOT.format(name=name)
