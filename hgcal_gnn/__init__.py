"""Graph networks for calorimeters that do not fit in a regular grid.

Importing this package loads neither torch nor NumPy; the sub-packages do when they are used.
"""

from __future__ import annotations

__version__ = "0.1.0"
