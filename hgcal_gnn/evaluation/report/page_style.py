"""How report.html looks: colours by the reader's preference for light or dark, pictures in a grid, for print too."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #222222; --paper: #ffffff; --faint: #6a6a6a; --rule: #dddddd;
  --panel: #f6f6f7; --reference: #d2d2d2; --link: #0f5fa6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e4e6; --paper: #17181b; --faint: #a0a0a6; --rule: #3a3b40;
  --panel: #202125; --reference: #55575d; --link: #7fb2e5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main { max-width: 1240px; margin: 0 auto; padding: 0 20px; }
header p, .note { color: var(--faint); font-size: 13px; max-width: 95ch; }
h1 { font-size: 24px; margin: 24px 0 4px; }
h2 { font-size: 20px; margin: 36px 0 8px; border-bottom: 1px solid var(--rule); }
h3, summary { font-size: 15px; font-weight: 600; margin: 18px 0 6px; }
summary { cursor: pointer; }
nav { position: sticky; top: 0; background: var(--paper); padding: 6px 0; }
nav a { margin-right: 14px; white-space: nowrap; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--rule); vertical-align: top; }
th { color: var(--faint); font-weight: 600; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
td.missing { color: var(--faint); font-style: italic; text-align: left; max-width: 34ch; }
#differences td, #energies td, #distances td { white-space: nowrap; }
#referee td, #referee th, #summary td:nth-child(n+2), #summary th { text-align: left; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(350px, 1fr)); gap: 14px; }
figure { margin: 0; padding: 8px; background: var(--panel); border-radius: 6px; }
figure.wide { grid-column: 1 / -1; }
figure svg, figure img { width: 100%; height: auto; display: block; } figure svg text { fill: var(--ink); }
figcaption { color: var(--faint); font-size: 12px; margin-top: 4px; }
@media print { nav { display: none; } figure, tr { break-inside: avoid; } }
"""
