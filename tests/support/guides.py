"""The programs that the pages of docs/ print."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
_NAMED = re.compile(r"# (\w+\.py)\n")


def save(page: Path, folder: Path) -> list[str]:
    """Save the Python programs of a page, under the names that they begin with; return these names."""
    names = []
    for number, program in enumerate(_BLOCK.findall(page.read_text("utf-8"))):
        named = _NAMED.match(program)
        name = named[1] if named else f"test_{page.stem}_{number}.py"
        (folder / name).write_text(program)
        names.append(name)
    return names
