"""schema: what may stand in the files of settings, as JSON schemas."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel


class What(StrEnum):
    """Files that have a schema."""

    run = "run"
    generator = "generator"
    study = "study"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("schema")(schema)


def schema(
    what: Annotated[What, typer.Argument(help="Of train: run (regressors) or generator; of study: study.")] = What.run,
) -> None:
    """Print every setting with its type, default and meaning, as a JSON schema that editors understand."""
    import json

    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.config.run import RunConfig
    from hgcal_gnn.config.study import StudyConfig

    settings: dict[What, type[BaseModel]] = {
        What.run: RunConfig,
        What.generator: GenerationConfig,
        What.study: StudyConfig,
    }
    print(json.dumps(settings[what].model_json_schema(), indent=2))
