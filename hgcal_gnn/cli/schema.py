"""schema: what may stand in the files of settings, as JSON schemas, and what stands in the files of the package."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel


class What(StrEnum):
    """Files that have a schema."""

    run = "run"
    generator = "generator"
    study = "study"
    table = "table"
    graph = "graph"
    showers = "showers"
    model = "model"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("schema")(schema)


def schema(
    what: Annotated[
        What,
        typer.Argument(
            help="Of train: run (regressors) or generator; of study: study. Files: geometry table, cell graph, "
            "showers, trained model."
        ),
    ] = What.run,
) -> None:
    """Print every setting with its type, default and meaning, as a JSON schema that editors understand.

    For files: their columns or arrays with types and units, their metadata and the format version.
    """
    import json

    print(json.dumps(schema_of(what), indent=2))


def schema_of(what: What) -> dict[str, Any]:
    """Return the JSON schema of settings, or the description of a file (`schema_files.files`)."""
    from hgcal_gnn.cli.schema_files import files
    from hgcal_gnn.config.generation import GenerationConfig
    from hgcal_gnn.config.run import RunConfig
    from hgcal_gnn.config.study import StudyConfig

    settings: dict[What, type[BaseModel]] = {
        What.run: RunConfig,
        What.generator: GenerationConfig,
        What.study: StudyConfig,
    }
    return settings[what].model_json_schema() if what in settings else files()[what]
