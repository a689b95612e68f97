"""schema: what may stand in the files of settings, as JSON schemas."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """Files that have a schema."""

    run = "run"
    study = "study"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("schema")(schema)


def schema(what: Annotated[What, typer.Argument(help="run: settings of train; study: of study.")] = What.run) -> None:
    """Print every setting with its type, default and meaning, as a JSON schema that editors understand."""
    import json

    from hgcal_gnn.config.run import RunConfig
    from hgcal_gnn.config.study import StudyConfig

    settings = RunConfig if what is What.run else StudyConfig
    print(json.dumps(settings.model_json_schema(), indent=2))
