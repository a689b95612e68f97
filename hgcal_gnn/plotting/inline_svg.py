"""Pictures as SVG text to stand inside a page, in the colours of the page: light or dark."""

from __future__ import annotations

import re
from io import StringIO
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hgcal_gnn.plotting.style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# what changes between light and dark pages, as CSS variables the page defines
VARIABLES = MappingProxyType({INK.lower(): "var(--ink)", "#d2d2d2": "var(--reference)", "#000000": "var(--ink)"})


def inline_svg(fig: Figure, key: str) -> str:
    """Return a figure as an `<svg>` element without background, of the width of what it stands in.

    Parameters
    ----------
    key
        Makes the ids inside unlike those of other pictures of the page.
    """
    import matplotlib as mpl  # noqa: PLC0415 (slow to import)

    text = StringIO()
    options: Any = {"svg.hashsalt": f"hgcal_gnn {key}", "svg.fonttype": "none", "svg.id": key}
    with mpl.rc_context(options):
        fig.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?)height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in VARIABLES.items():
        svg = re.sub(re.escape(colour), variable, svg, flags=re.IGNORECASE)
    # ids count from 1 in every picture (axes_1, patch_2): those that nothing refers to would only clash on the page
    used = set(re.findall(r'#([^")\s]+)', svg))
    return re.sub(r'\sid="([^"]*)"', lambda found: found.group() if found[1] in used else "", svg)
