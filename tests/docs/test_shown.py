"""What pages show exists: commands with their options, settings, files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from hgcal_gnn.cli import app
from hgcal_gnn.config.any_run import check_run

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "geometry" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def shown_commands(text):
    """Return the words of every command line of ours in the code blocks of a page."""
    shells = [block["body"] for block in BLOCK.finditer(text) if block["kind"] in ("", "sh", "bash", "console")]
    blocks = [body.replace("\\\n", " ") for body in shells]
    calls = [call.strip() for body in blocks for line in body.splitlines() for call in re.split(r"&&|\|", line)]
    return [shlex.split(call, comments=True) for call in calls if call.startswith("hgcal-gnn ")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_shown_commands_and_files_exist(path):
    text = path.read_text("utf-8")
    commands = typer.main.get_command(app).commands
    for _, name, *words in shown_commands(text):
        if name == "COMMAND" or name.startswith("-"):
            continue
        known = {option for parameter in commands[name].params for option in parameter.opts + parameter.secondary_opts}
        options = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
        assert set(options) <= known | {"--help"}, (name, options)
    files = re.findall(r"(?:configs|examples|tests)/[\w/]+\.(?:yaml|py)\b", text)
    assert not [name for name in files if not (ROOT / name).exists()]


def test_settings_of_the_tutorial_are_valid():
    blocks = BLOCK.finditer((ROOT / "docs" / "tutorial.md").read_text("utf-8"))
    settings = [yaml.safe_load(block["body"]) for block in blocks if block["kind"] == "yaml"]
    assert [check_run(content, "tutorial").model.kind for content in settings] == ["message_passing", "cells"]


def test_an_option_that_does_not_exist_is_seen():
    text = "```\npip install x && hgcal-gnn simulate -n 3 --energy 5..20  # --no\n```\n\n`hgcal-gnn train`\n"
    assert shown_commands(text) == [["hgcal-gnn", "simulate", "-n", "3", "--energy", "5..20"]]
