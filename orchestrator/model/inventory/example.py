"""The example inventory: every key once, with comments."""

from pathlib import Path

NAME = "inventory.example.yaml"


def example() -> str:
    """Read the example: a wheel has it in the package, a checkout beside the package."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / NAME
    return (packaged if packaged.exists() else package.parent / NAME).read_text(encoding="utf-8")
