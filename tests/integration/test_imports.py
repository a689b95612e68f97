"""Every module can be the first one imported: no order of imports is needed."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import hgcal_gnn

MODULES = sorted(info.name for info in pkgutil.walk_packages(hgcal_gnn.__path__, "hgcal_gnn."))
DROP_ALL = """
import sys
for name in sys.argv[1].split():
    for loaded in [other for other in sys.modules if other.startswith("hgcal_gnn")]:
        del sys.modules[loaded]
    __import__(name)
"""


def test_no_module_depends_on_the_order_of_imports():
    done = subprocess.run(
        [sys.executable, "-c", DROP_ALL, " ".join(MODULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(MODULES) > 100
