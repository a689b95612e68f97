"""What is wrong with settings, in words: the key, its value, what is allowed."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails


def describe(error: ValidationError, settings: type[BaseModel]) -> list[str]:
    """Return one line for everything that is wrong."""
    return [_line(detail, settings) for detail in error.errors()]


def _line(detail: ErrorDetails, settings: type[BaseModel]) -> str:
    """Describe one error."""
    group, names = _place(settings, detail["loc"])
    key = ".".join(map(str, names))
    context, given = detail.get("ctx", {}), detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            said = f"unknown key{_guess(str(names[-1]), group)}; known: {', '.join(group.model_fields)}"
        case "missing":
            said = "missing"
        case "union_tag_not_found":
            key, said = f"{key}.kind", f"missing; one of {', '.join(_kinds(settings, names))}"
        case "union_tag_invalid":
            key, said = f"{key}.kind", f"{context['tag']!r} is none of {context['expected_tags']}"
        case "literal_error":
            said = f"{given!r} is none of {context['expected']}"
        case "model_type" | "model_attributes_type":
            said = f"{given!r} is a single value, a group of settings is needed"
        case "value_error":
            said = str(context["error"])
        case _:
            said = f"{given!r} {_plain(detail['msg'])}"
    return f"{key}: {said}" if key else said


def _plain(message: str) -> str:
    message = message.removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _place(settings: type[BaseModel], location: tuple[int | str, ...]) -> tuple[type[BaseModel], list[int | str]]:
    """Follow a location to the group of settings that holds it; tags of unions are no keys and left out."""
    group, names = settings, list[int | str]()
    choices: dict[str, type[BaseModel]] = {}
    for part in location:
        if part in choices:
            group, choices = choices[str(part)], {}
            continue
        names.append(part)
        field = group.model_fields.get(str(part))
        found = list(_groups(field.annotation)) if field else []
        choices = {
            str(choice.model_fields["kind"].default): choice for choice in found if "kind" in choice.model_fields
        }
        if len(found) == 1:
            group = found[0]
    return group, names


def _groups(annotation: Any) -> Iterator[type[BaseModel]]:
    """Iterate over the groups of settings an annotation allows."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _groups(part)


def _kinds(settings: type[BaseModel], names: list[int | str]) -> list[str]:
    group, _ = _place(settings, tuple(names[:-1]))
    field = group.model_fields[str(names[-1])]
    return [_kind(choice) for choice in _groups(field.annotation)]


def _kind(settings: type[BaseModel]) -> str:
    return str(settings.model_fields["kind"].default)


def _guess(name: str, group: type[BaseModel]) -> str:
    close = difflib.get_close_matches(name, group.model_fields, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
