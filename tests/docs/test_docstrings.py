"""Every public name is described where it is defined."""

from __future__ import annotations

import ast
from pathlib import Path

import hgcal_gnn

PACKAGE = Path(hgcal_gnn.__file__).parent


def undescribed(node, name):
    """Iterate over a module, class or function and all public ones in it, as far as they have no docstring."""
    if not ast.get_docstring(node):
        yield name
    if isinstance(node, ast.Module | ast.ClassDef):
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
                yield from undescribed(child, f"{name}: {child.name}")


def test_public_names_are_described():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 300
    assert not [
        name
        for path in files
        for name in undescribed(ast.parse(path.read_text("utf-8")), str(path.relative_to(PACKAGE)))
    ]


def test_a_name_without_a_docstring_is_found():
    source = (
        '"""Of the module."""\nclass Named:\n    def method(self): ...\n    def _own(self): ...\ndef _private(): ...\n'
    )
    assert list(undescribed(ast.parse(source), "m")) == ["m: Named", "m: Named: method"]
