"""`python -m kdp_edge` is `kdp-edge`."""

from kdp_edge.cli import main

main()
