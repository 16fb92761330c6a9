"""`python -m orchestrator` is `raycluster`."""

from orchestrator.cli.start import main

main()
