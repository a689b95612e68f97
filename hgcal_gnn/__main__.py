"""``python -m hgcal_gnn`` is the command line."""

from hgcal_gnn.cli import main

if __name__ == "__main__":
    main()
