"""The pages that people read, and what is on them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = sorted(
    path for pattern in ("*.md", "docs/*.md", "findings/*.md", "tests/*/*.md") for path in ROOT.glob(pattern)
)


def anchors(page: Path) -> set[str]:
    """The fragments by which a page's headings are linked to, as forges make them."""
    headings = re.findall(r"^#+ (.+)", _without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """The file, and the anchor in it, of every link to a page or file of the repository."""
    targets = re.findall(r"\]\(([^)\s]+)\)", _without_blocks(page))
    inside = [target.partition("#") for target in targets if not re.match(r"\w+:", target)]
    return [((page.parent / path).resolve() if path else page, anchor) for path, _, anchor in inside]


def table_rows(text: str) -> list[list[str]]:
    """The cells of each row of each table, without the headings."""
    rows = re.findall(r"^\|(.+)\|$", _tables_without_heads(text), re.MULTILINE)
    return [[cell.strip() for cell in row.split(" | ")] for row in rows]


def _tables_without_heads(text: str) -> str:
    return re.sub(r"^\|.+\|\n\|[-|: ]+\|$", "", text, flags=re.MULTILINE)


def _without_blocks(page: Path) -> str:
    return re.sub(r"(?ms)^```.*?^```$", "", page.read_text())
