"""The published numbers of a detector: one YAML file each, beside the code that uses them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def numbers(name: str) -> dict[str, Any]:
    """Read `name`.yaml of this package; treat the result as read-only, it is shared."""
    text = files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content
