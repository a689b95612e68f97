"""How pictures look: figures without global state, colours for cell types, saving.

Colours are Paul Tol's "light" scheme (https://personal.sron.nl/~pault/), told apart with any common colour
vision and pale enough for black lines on top. Nothing here changes matplotlib's rcParams.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hgcal_gnn.errors import UsageError
from hgcal_gnn.files import atomic_path
from hgcal_gnn.geometry.cells import CMS_SUBDETECTORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hgcal_gnn.geometry.cells import CellTable

INK = "#222222"  # text, axes, edges within a layer
FAINT = "#8a8a8a"  # guides
BORDER_BLUE = "#0a3fd0"  # silicon-scintillator edges
SILICON = MappingProxyType(
    {
        0: ("silicon 120 µm", "#EE8866"),
        1: ("silicon 200 µm", "#EEDD88"),
        2: ("silicon 300 µm", "#7CCFB6"),
        3: ("silicon 200 µm, fine", "#FFAABB"),
    }
)
TILES = ("#C9CEDC", "#B3BBD0", "#D8DCE8")  # bluish greys, for scintillator types 0, 1, 2
OTHERS = ("#99DDFF", "#EEDD88", "#BBCC33", "#FFAABB", "#44BB99", "#EE8866", "#77AADD", "#DDDDDD")
# Lines and points of several methods: Paul Tol's "bright" scheme, dark enough on white, with a marker each
LINES = ("#4477AA", "#EE6677", "#228833", "#AA3377", "#CCA000", "#66CCEE", "#222222")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")  # two more than colours: no pair comes twice
FORMATS = (".png", ".pdf", ".svg")
# Leave out the time of writing (and random names in SVG, below), so that the same picture gives the same file.
_TIMELESS = MappingProxyType({".png": {"Software": None}, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}})


class CellKind(NamedTuple):
    """Cells drawn in one colour: a subdetector and a cell type."""

    subdetectors: tuple[int, ...]
    cell_type: int
    label: str
    colour: str

    def rows(self, cells: CellTable) -> NDArray[np.bool_]:
        """Mark the cells of this kind, [n_cells]."""
        return np.asarray((cells.cell_type == self.cell_type) & np.isin(cells.subdetector, self.subdetectors))


def cell_kinds(cells: CellTable) -> list[CellKind]:
    """List the kinds of cells in a table, each with a name and a colour that do not depend on what else is there.

    CE-E and CE-H silicon of one thickness are one kind.
    """
    code = cells.subdetector.astype(np.int64) << 16 | (cells.cell_type.astype(np.int64) + 2**15)
    found = [(key >> 16, (key & 0xFFFF) - 2**15) for key in np.unique(code).tolist()]
    is_cms = all(cells.subdetector_names.get(part) == CMS_SUBDETECTORS.get(part, "") for part, _ in found)
    if is_cms:
        return _cms_kinds(found)
    several = len({kind for _, kind in found}) > 1
    kinds = []
    for number, (part, kind) in enumerate(found):
        name = cells.subdetector_names.get(part, f"subdetector {part}")
        label = f"{name}, type {kind}" if several else name
        kinds.append(CellKind((part,), kind, label, OTHERS[number % len(OTHERS)]))
    return kinds


def _cms_kinds(found: list[tuple[int, int]]) -> list[CellKind]:
    kinds = []
    for kind in sorted({kind for part, kind in found if part != 10}):
        label, colour = SILICON.get(kind, (f"silicon, type {kind}", OTHERS[kind % len(OTHERS)]))
        kinds.append(CellKind((8, 9), kind, label, colour))
    tiles = sorted(kind for part, kind in found if part == 10)
    for kind in tiles:
        label = f"scintillator tile, type {kind}" if len(tiles) > 1 else "scintillator tile"
        kinds.append(CellKind((10,), kind, label, TILES[kind % len(TILES)]))
    return kinds


def blank_figure(width: float, height: float) -> Figure:
    """Make a figure of `width` x `height` inches; it needs no display and no pyplot."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow to import)

    return Figure(figsize=(width, height), layout="constrained")


def figure(width: float = 8.0, height: float = 6.5) -> tuple[Figure, Axes]:
    """Make a figure of `width` x `height` inches with one set of axes."""
    fig = blank_figure(width, height)
    return fig, fig.subplots()


def tidy(ax: Axes, xlabel: str, ylabel: str, title: str = "") -> None:
    """Label the axes and take away what does not carry information."""
    ax.set_xlabel(xlabel, color=INK)
    ax.set_ylabel(ylabel, color=INK)
    if title:
        ax.set_title(title, color=INK, fontsize=11, loc="left", pad=8)
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FAINT)
    ax.tick_params(colors=INK, labelsize=9, color=FAINT, length=3)


def plain_log_ticks(axis: Axis) -> None:
    """Write 10, 20, 50, 100 on a logarithmic axis instead of powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415 (slow to import)

    axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save_figure(fig: Figure, path: Path, *, overwrite: bool = False, dpi: float = 200.0) -> None:
    """Write a picture (.png, .pdf or .svg), whole or not at all.

    Raises
    ------
    UsageError
        For any other ending.
    OutputError
        If the file exists (without `overwrite`) or cannot be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        msg = f"{path}: pictures are written as {', '.join(FORMATS)}; choose one of these endings"
        raise UsageError(msg)
    import matplotlib as mpl  # noqa: PLC0415

    with atomic_path(path, overwrite=overwrite) as temporary, mpl.rc_context({"svg.hashsalt": "hgcal_gnn"}):
        fig.savefig(temporary, format=ending[1:], dpi=dpi, facecolor="white", metadata=dict(_TIMELESS[ending]))
