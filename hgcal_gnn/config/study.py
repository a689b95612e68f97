"""A study: several methods on the same showers, each with several seeds, in one YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field, NonNegativeInt, field_validator

from hgcal_gnn.config.base import Settings
from hgcal_gnn.config.read import check_config, read_config
from hgcal_gnn.config.run import RunConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


class MethodConfig(Settings):
    """A method: its model, and what differs from the common settings."""

    model: dict[str, Any]
    train: dict[str, Any] = Field(default_factory=dict, description="changes of the common train settings")
    data: dict[str, Any] = Field(default_factory=dict, description="changes of the common data settings")
    seeds: tuple[NonNegativeInt, ...] | None = Field(None, min_length=1, description="instead of the common seeds")


class StudyConfig(Settings):
    """What all methods have in common, and the methods."""

    title: str
    seeds: tuple[NonNegativeInt, ...] = Field((0,), min_length=1, description="each method is trained once per seed")
    data: dict[str, Any]
    train: dict[str, Any] = Field(default_factory=dict)
    methods: dict[str, MethodConfig] = Field(min_length=1, description="the first one is what others are compared to")

    @field_validator("methods")
    @classmethod
    def _names_files(cls, methods: dict[str, MethodConfig]) -> dict[str, MethodConfig]:
        odd = [name for name in methods if not name.replace("_", "").isalnum()]
        if odd:
            msg = f"{', '.join(odd)}: methods name folders, use letters, digits and _"
            raise ValueError(msg)
        return methods


class StudyRun(NamedTuple):
    """One training of a study.

    Attributes
    ----------
    method
        Its name in the study.
    name
        Of its folder: the method and the seed.
    """

    method: str
    name: str
    config: RunConfig


def read_study(path: Path, overrides: Iterable[str] = ()) -> tuple[StudyConfig, list[StudyRun]]:
    """Read a study and check the settings of every run.

    Raises
    ------
    InputError
        If the file cannot be read or is no YAML.
    UsageError
        With everything that is wrong, and in which method.
    """
    study = read_config(StudyConfig, path, overrides)
    runs = []
    for name, method in study.methods.items():
        common = {"data": _merged(study.data, method.data), "train": _merged(study.train, method.train)}
        for seed in method.seeds or study.seeds:
            content = {"seed": seed, "model": method.model, **common}
            runs.append(StudyRun(name, f"{name}-{seed}", check_config(RunConfig, content, f"{path}, method {name}")))
    return study, runs


def _merged(common: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the common settings with changes, group by group."""
    merged = dict(common)
    for name, value in changes.items():
        old = merged.get(name)
        merged[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged
