"""``python -m hgcal_gnn`` is the command line."""

from hgcal_gnn.cli import main

main()
