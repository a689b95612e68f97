"""The page of all commands, made from the command line itself."""

from __future__ import annotations

import typer
from table import code, escaped, table

from hgcal_gnn.cli import app

HEAD = """\
# Commands

Made from the program when this site is built; `hgcal-gnn COMMAND --help` prints the same. Outputs are always given by
`-o`, the geometry by `--graph FILE` or `--detector NAME`. Nothing is overwritten without `--overwrite`. Exit codes: 0,
1 for a failure (a file or data that cannot be used), 2 for a request that makes no sense.
"""


def page() -> str:
    """Return one section per command, with all its arguments and options."""
    group = typer.main.get_command(app)
    commands = group.commands
    contents = table(
        ["command", "what it does"],
        [[f"[`{name}`](#{name})", escaped(_first_sentence(each.help))] for name, each in commands.items()],
    )
    context = group.make_context("hgcal-gnn", [], resilient_parsing=True)
    common = _parameters(group, context)
    parts = [HEAD, contents, "For all of them, before the command: ", common]
    return "\n\n".join([*parts, *(_section(name, command) for name, command in commands.items())]) + "\n"


def _section(name: str, command: typer.core.TyperCommand) -> str:
    context = command.make_context(f"hgcal-gnn {name}", [], resilient_parsing=True)
    usage = command.get_usage(context).removeprefix("Usage: ")
    return f"## {name}\n\n{escaped(command.help or '')}\n\n```\n{usage}\n```\n\n{_parameters(command, context)}"


def _parameters(command: typer.core.TyperCommand, context: typer.Context) -> str:
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [[_form(form), escaped(meaning)] for form, meaning in filter(None, records) if form != "--help"]
    return table(["argument or option", "meaning"], rows)


def _form(form: str) -> str:
    """Return an option as code, and what it takes beside it: -o, --output <path>."""
    name, _, taken = form.partition(" <")
    return f"{code(name)} {escaped(taken.removesuffix('>').replace('|', ', '))}"


def _first_sentence(text: str | None) -> str:
    return (text or "").replace("\n", " ").split(". ")[0].rstrip(".") + "."
