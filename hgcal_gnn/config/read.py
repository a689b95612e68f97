"""Settings from YAML files and the command line, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hgcal_gnn.config.messages import describe
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import atomic_path, check_readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Config = TypeVar("Config", bound=BaseModel)
MERGE = "tag:yaml.org,2002:merge"  # "<<: *common", which takes over the keys of another mapping


class UniqueKeys(yaml.SafeLoader):
    """Reads YAML and refuses keys that are given twice, of which one would be lost."""


def _mapping(loader: UniqueKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value if key.tag != MERGE]
    twice = sorted({str(key) for key in keys if keys.count(key) > 1})
    if twice:
        msg = f"given twice: {', '.join(twice)}"
        raise yaml.constructor.ConstructorError(None, None, msg, node.start_mark)
    return loader.construct_mapping(node, deep=True)


UniqueKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_config(settings: type[Config], path: Path, overrides: Iterable[str] = ()) -> Config:
    """Read a YAML file, change what `overrides` say ("model.hidden=64") and check everything.

    Raises
    ------
    InputError
        If the file cannot be read or is no YAML.
    UsageError
        With everything that is wrong: key, value, and what is allowed.
    """
    return check_config(settings, read_content(path, overrides), str(path))


def read_content(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Read the plain values of a YAML file and change what `overrides` say.

    Raises
    ------
    InputError
        If the file cannot be read or is no YAML.
    UsageError
        If an override is none.
    """
    return change_content(_parsed(path), overrides)


def change_content(content: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Change plain values in place as `overrides` say, and return them.

    Raises
    ------
    UsageError
        If an override is none.
    """
    for override in overrides:
        _set(content, override)
    return content


def check_config(settings: type[Config], content: Mapping[str, Any], source: str) -> Config:
    """Turn plain values into settings.

    Raises
    ------
    UsageError
        With everything that is wrong.
    """
    try:
        return settings.model_validate(content)
    except ValidationError as error:
        lines = describe(error, settings)
        head = f"{source}: " if len(lines) == 1 else f"{source}: {len(lines)} settings are wrong:\n  "
        raise UsageError(head + "\n  ".join(lines)) from None


def write_config(config: BaseModel, path: Path, *, overwrite: bool = False) -> None:
    """Write all settings, defaults included, as YAML."""
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=110)
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _parsed(path: Path) -> dict[str, Any]:
    check_readable(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)  # noqa: S506 (a safe loader)
    except RecursionError as error:
        msg = f"{path}: not YAML that can be read: its values are nested too deep"
        raise InputError(msg) from error
    except (yaml.YAMLError, ValueError) as error:
        said = str(error).replace('in "<unicode string>", ', "at ")
        msg = f"{path}: not YAML: {' '.join(said.split())}"
        raise InputError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: no settings in it (a mapping of names to values is needed)"
        raise InputError(msg)
    return content


def _set(content: dict[str, Any], override: str) -> None:
    """Change one setting in place: "train.epochs=50"."""
    key, equals, text = override.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        msg = f"--set {override}: write it as --set train.epochs=50"
        raise UsageError(msg)
    try:
        value = yaml.load(text, UniqueKeys)  # noqa: S506 (a safe loader)
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None)
        msg = f"--set {override}: the value is no YAML" + (f": {problem}" if problem else "")
        raise UsageError(msg) from error
    group = content
    for number, name in enumerate(names[:-1]):
        if group.get(name) is None:
            group[name] = {}
        group = group[name]
        if not isinstance(group, dict):
            msg = f"--set {override}: {'.'.join(names[: number + 1])} is a single value ({group!r}), no group"
            raise UsageError(msg)
    group[names[-1]] = value
