"""Names texts that list hospitals in a notation other than CSV or JSON, each with what turns it into a list."""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

_LINES_LOOKED_AT = 60
_YQ = "convert it, for example with: yq {options}-o json . {name} > OUT.json"
_OUT_OF_SQL = (
    "export the table from the database as CSV, for example with: "
    "sqlite3 -header -csv DATABASE 'SELECT * FROM TABLE' > OUT.csv"
)
_OUT_OF_ARFF = (
    "convert it, for example with: pandas.DataFrame(scipy.io.arff.loadarff({name!r})[0]).to_csv('OUT.csv')"
)
_OUT_OF_LATEX = (
    "convert it, for example with: pandoc {name} -o OUT.html, "
    "then pandas.read_html('OUT.html')[0].to_csv('OUT.csv')"
)
_OUT_OF_PYTHON = (
    'convert it, for example with: python3 -c "import ast, json; '
    "print(json.dumps(ast.literal_eval(open('{name}').read())))\" > OUT.json"
)
_SQL = (
    r"(?:\s*(?:--[^\n]*|#[^\n]*|/\*.*?\*/;?)\s*\n)*\s*(?:insert\s+(?:ignore\s+)?into|create\s+table|drop\s+table|"
    r"lock\s+tables|pragma\s|set\s+names|begin\s+transaction|copy\s+[^\n]+\sfrom\s+stdin)\b"
)
_TOML = r"(?:#[^\n]*\n)*\s*\[\[?[\w.\"-]+\]?\]\s*\n(?:#[^\n]*\n|\s)*[\w\"-]+ *= *[\"'\d\[{tf]"
_YAML = (
    r"(?:%YAML[^\n]*\n)?(?:#[^\n]*\n|\s)*(?:---[^\n]*\n(?:#[^\n]*\n|\s)*)?(?:[\w-]+: *\n\s*)?"
    r"- *(?:\{ *[\w-]+: |[\w\"'-]+:(?: [^\n]*)?\n\s+[\w\"'-]+:[ \n])"
)
_DRAWN = "let the program write CSV or tabs, as mysql does with --batch"
_KINDS: tuple[tuple[str, str, str], ...] = (
    (_SQL, "SQL", _OUT_OF_SQL),
    (r"(?:%[^\n]*\n)*\s*@relation\b", "an ARFF file", _OUT_OF_ARFF),
    (r"(?:%[^\n]*\n)*\s*\\(?:documentclass|begin|usepackage)\b", "LaTeX", _OUT_OF_LATEX),
    (r"diff --git |--- [^\n]+\n\+\+\+ [^\n]+\n@@ ", "a comparison of two files (diff)", "load the list itself"),
    (r"\+-{2,}(?:\+-+)*\+\s*\n\|", "a table that is drawn with lines", _DRAWN),
    (_TOML, "TOML", _YQ.replace("{options}", "-p toml ")),
    (_YAML, "YAML", _YQ.replace("{options}", "")),
    (r"[\[{]\s*(?:\{\s*)?'[^'\n]*'\s*:", "a list as Python writes it, not JSON", _OUT_OF_PYTHON),
)
_PATTERNS = [(re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, what) for pattern, kind, what in _KINDS]
_LABELLED = re.compile(r"([^\W\d][\w .'/-]{0,40}?)\s*[:=]\s*\S")
_FEWEST_LABELS, _FEWEST_REPEATED = 2, 2


def other_notation(path: Path, head: str) -> str | None:
    """Return what a text is and what to do, in one line, if its beginning shows that its lines are not rows."""
    text = head.lstrip("\ufeff \t\r\n")
    for pattern, kind, what in _PATTERNS:
        if pattern.match(text):
            return f"is {kind}; {what.format(name=path.name)}"
    if _has_a_field_in_each_line(text):
        return (
            "has one field in each line, as in 'Name: Clinic A', not one hospital in each line; turn it into CSV "
            "with a row for each hospital"
        )
    return None


def _has_a_field_in_each_line(text: str) -> bool:
    """Return whether all lines begin with a label, and the same labels come again and again."""
    lines = [line for line in text.splitlines()[:_LINES_LOOKED_AT] if line.strip()]
    labels = [found[1].casefold() for line in lines if (found := _LABELLED.match(line.strip()))]
    if not lines or len(labels) < len(lines):
        return False
    repeated = [label for label, count in Counter(labels).items() if count >= _FEWEST_REPEATED]
    # Neighbours differ: a column whose cells have a word such as "Region: North" repeats it in all of them.
    alternate = sum(one != other for one, other in pairwise(labels))
    return len(repeated) >= _FEWEST_LABELS and alternate > len(labels) / 2
