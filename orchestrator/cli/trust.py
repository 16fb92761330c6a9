"""`raycluster trust`: shows the fingerprint of each unknown host key, and records it after a yes."""

from orchestrator.cli import options


def trust(inventory: options.Inventory = None, file: options.InventoryOption = None) -> None:
    """Show each unknown host's key fingerprint, and record it in known_hosts after a yes."""
