"""`python -m orchestrator` is `raycluster`."""

from orchestrator.cli.app import main

main()
