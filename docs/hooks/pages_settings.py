"""Pages of all settings, made from the JSON schemas that `hgcal-gnn schema` prints."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from table import code, escaped, table

from hgcal_gnn.cli.schema import What, schema_of

PAGES = {
    What.run: ("Settings of a regressor", "`hgcal-gnn train` of a regressor"),
    What.generator: ("Settings of a generator", "`hgcal-gnn train` of a generator"),
    What.study: ("Settings of a study", "`hgcal-gnn study`"),
}
LIMITS = {"exclusiveMinimum": ">", "minimum": ">=", "exclusiveMaximum": "<", "maximum": "<="}
INTRODUCTION = """\
# {title}

For {use}: a YAML file with these keys. Made from `hgcal-gnn schema {what}`, which prints the same as a JSON schema for
editors. Unknown keys are refused with the known ones listed; `--set data.empty=drop` changes one from the command line.
"""


def pages() -> dict[str, str]:
    """Return one page per kind of settings file."""
    return {f"reference/settings_{what}.md": _page(what) for what in PAGES}


def of_kind(what: str, kind: str) -> str:
    """Return the table of the settings of one model: `what` is run or generator, `kind` its model.kind."""
    schema = _schema(What(what))
    (settings,) = (each for each in schema["$defs"].values() if _kind(each) == kind)
    return _table(settings, schema, page=f"../reference/settings_{what}.md")


@cache
def _schema(what: What) -> dict[str, Any]:
    return schema_of(what)


def _page(what: What) -> str:
    schema = _schema(what)
    title, use = PAGES[what]
    parts = [INTRODUCTION.format(title=title, use=use, what=what), "## The file", _table(schema, schema)]
    for name in _in_order(schema):
        settings = schema["$defs"][name]
        if "properties" in settings:
            about = escaped(settings.get("description", ""))
            parts += [f"## {_title(name, settings)} {{ #{name.lower()} }}", about, _table(settings, schema)]
    return "\n\n".join(parts) + "\n"


def _title(name: str, settings: dict[str, Any]) -> str:
    kind = _kind(settings)
    return f"{name}: `kind: {kind}`" if kind else name


def _kind(settings: dict[str, Any]) -> str:
    """Return the `kind` that chooses these settings, if there is one."""
    kind: str = settings.get("properties", {}).get("kind", {}).get("const", "")
    return kind


def _in_order(schema: dict[str, Any]) -> list[str]:
    """Return the names of all parts of a schema, in the order in which they are mentioned."""
    found: dict[str, None] = {}

    def visit(part: Any) -> None:
        if isinstance(part, dict):
            name = part.get("$ref", "").removeprefix("#/$defs/")
            if name and name not in found:
                found[name] = None
                visit(schema["$defs"][name])
            for key, value in part.items():
                if key not in ("$defs", "discriminator"):
                    visit(value)
        elif isinstance(part, list):
            for value in part:
                visit(value)

    visit(schema)
    return list(found)


def _table(settings: dict[str, Any], schema: dict[str, Any], page: str = "") -> str:
    needed = settings.get("required", [])
    rows = [
        [code(name), _type(each, schema, page), _default(name, each, needed), escaped(each.get("description", ""))]
        for name, each in settings.get("properties", {}).items()
    ]
    return table(["key", "type", "default", "meaning"], rows)


def _default(name: str, each: dict[str, Any], needed: list[str]) -> str:
    if name in needed:
        return "needed"
    default = each.get("default")
    return "" if default is None else code(json.dumps(default))


def _type(part: dict[str, Any], schema: dict[str, Any], page: str) -> str:
    """Return in words what may stand there."""
    if "$ref" in part:
        name = part["$ref"].removeprefix("#/$defs/")
        target = schema["$defs"][name]
        return f"[{name}]({page}#{name.lower()})" if "properties" in target else _type(target, schema, page)
    options = part.get("anyOf") or part.get("oneOf")
    if options:
        return " or ".join(dict.fromkeys(_type(each, schema, page) for each in options if each.get("type") != "null"))
    if "const" in part or "enum" in part:
        return ", ".join(code(str(value)) for value in part.get("enum", [part.get("const")]))
    return _plain_type(part, schema, page)


def _plain_type(part: dict[str, Any], schema: dict[str, Any], page: str) -> str:
    """Return in words a type that is neither named nor a choice."""
    if part.get("type") == "array":
        inside = part.get("items") or {"anyOf": part.get("prefixItems", [])}
        return f"list of {_type(inside, schema, page)}" if inside.get("anyOf") != [] else "list"
    if part.get("type") == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"names with {_type(part['additionalProperties'], schema, page)}"
    limits = [f"{sign} {part[key]:g}" for key, sign in LIMITS.items() if key in part]
    return escaped(" ".join([{"object": "settings"}.get(part.get("type", ""), part.get("type", "any")), *limits]))
