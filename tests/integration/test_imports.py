"""Every module can be the first one imported: no order of imports is needed.

An order can matter only among modules that import each other in a circle while they are loaded. The circles are read
off the sources; then each of their modules is imported first, before the others of its circle.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

import hgcal_gnn

IMPORT_EACH_FIRST = """
import importlib, json, sys
names, circles = json.load(sys.stdin)
for name in names:
    importlib.import_module(name)
for circle in circles:
    for name in circle:
        for loaded in circle:
            sys.modules.pop(loaded, None)
        importlib.import_module(name)
"""


def modules_of(package):
    """Return the files of all modules by name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def loaded_with(tree):
    """Iterate over the imports that run when a module is loaded: none in functions, none for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from loaded_with(ast.Module([other], []))
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from loaded_with(node)


def imports_of(name, path, modules):
    """Return the modules of the package that loading a module loads first: imported ones, and its package."""
    asked = {name.rpartition(".")[0]}
    for node in loaded_with(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            asked |= {alias.name for alias in node.names}
        else:
            assert node.level == 0, f"{path}: a relative import, which this test does not follow"
            asked |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return asked & modules.keys()


def circles_of(modules):
    """Return the groups of modules that load each other."""
    names = list(modules)
    pairs = [
        (names.index(name), names.index(other)) for name in names for other in imports_of(name, modules[name], modules)
    ]
    ends = np.array(pairs).reshape(-1, 2).T
    graph = csr_array((np.ones(len(pairs)), tuple(ends)), shape=(len(names), len(names)))
    _, circle = connected_components(graph, connection="strong")
    groups = [[names[place] for place in np.flatnonzero(circle == number)] for number in np.unique(circle)]
    return [group for group in groups if len(group) > 1]


def import_each_first(package):
    """Import all modules, and those of each circle in every place of its order."""
    modules = modules_of(package)
    asked = json.dumps([list(modules), circles_of(modules)])
    return subprocess.run(
        [sys.executable, "-c", IMPORT_EACH_FIRST],
        input=asked, capture_output=True, text=True, check=False, cwd=package.parent,
    )  # fmt: skip


def test_no_module_depends_on_the_order_of_imports():
    package = Path(hgcal_gnn.__file__).parent
    done = import_each_first(package)
    assert done.returncode == 0, done.stderr
    assert len(modules_of(package)) > 100


def test_an_order_that_matters_is_found(tmp_path):
    """`two` finds all it needs where `one` came first, and not the other way round."""
    package = tmp_path / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("g = 1\nfrom pack.two import f\n")
    (package / "two.py").write_text("if True:\n    from pack.one import g\nf = g\n")
    (package / "three.py").write_text("def late():\n    import pack.four\n")
    (package / "four.py").write_text("import pack.three\n")
    assert circles_of(modules_of(package)) == [["pack.one", "pack.two"]]
    done = import_each_first(package)
    assert done.returncode == 1
    assert "cannot import name 'f'" in done.stderr
