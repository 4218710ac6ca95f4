"""The exit code of `.ci/advisories` distinguishes "advisories", "no advisories" and "not checked"; its output is
for people.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "advisories"
CLEAN = {"name": "arq", "version": "0.28.0", "vulns": []}
ADVISORY = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["0.28.1"]}


def _check(tmp_path: Path, *, out: str = "", err: str = "", code: int = 0) -> tuple[int, str, str]:
    """Run the script with a stand-in for pip-audit that writes `out` and `err` and exits with `code`."""
    stand_in = tmp_path / "pip-audit"
    stand_in.write_text(
        f"#!{sys.executable}\nimport sys\nprint({out!r})\nprint({err!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    stand_in.chmod(0o700)
    run = subprocess.run(
        [sys.executable, SCRIPT, stand_in, "requirements.lock"], capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout, run.stderr


def _report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_no_advisory_exits_with_0(tmp_path: Path) -> None:
    assert _check(tmp_path, out=_report(CLEAN)) == (0, "advisories: 1 packages, 0 advisories\n", "")


def test_an_advisory_is_printed_with_the_version_that_fixes_it(tmp_path: Path) -> None:
    code, out, _ = _check(tmp_path, out=_report({**CLEAN, "vulns": [ADVISORY]}), code=1)
    assert code == 1
    assert out.splitlines()[0] == "arq 0.28.0: PYSEC-1, CVE-1, fixed in 0.28.1"


def test_an_unreachable_service_is_reported_in_one_line_without_a_traceback(tmp_path: Path) -> None:
    err = "Traceback (most recent call last):\n  ...\nrequests.exceptions.ConnectionError: refused"
    code, out, message = _check(tmp_path, err=err, code=1)
    assert (code, out) == (3, "")
    assert message == "advisories: not checked: api.osv.dev, which serves the advisories, cannot be reached\n"


def test_a_package_without_advisory_data_counts_as_not_checked(tmp_path: Path) -> None:
    report = _report(CLEAN, {"name": "motor", "skip_reason": "not found"})
    code, _, message = _check(tmp_path, out=report)
    assert (code, message) == (3, "advisories: not checked: no advisory data for motor\n")


def test_any_other_failure_prints_the_last_line_of_pip_audit(tmp_path: Path) -> None:
    code, _, message = _check(tmp_path, err="usage\nERROR:pip_audit: no hash", code=2)
    assert (code, message) == (3, "advisories: not checked: pip-audit failed: ERROR:pip_audit: no hash\n")
