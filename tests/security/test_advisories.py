"""`.ci/audit` tells advisories, soundness and "could not look" apart by its exit code, in lines for a person."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

AUDIT = Path(__file__).resolve().parents[2] / ".ci" / "audit"
SOUND = {"name": "arq", "version": "0.28.0", "vulns": []}
ADVISORY = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["0.28.1"]}


def _audit(tmp_path: Path, *, out: str = "", err: str = "", code: int = 0) -> tuple[int, str, str]:
    double = tmp_path / "pip-audit"
    double.write_text(
        f"#!{sys.executable}\nimport sys\nprint({out!r})\nprint({err!r}, file=sys.stderr)\nsys.exit({code})\n"
    )
    double.chmod(0o700)
    run = subprocess.run(
        [sys.executable, AUDIT, double, "requirements.lock"], capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout, run.stderr


def _report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_nothing_known(tmp_path: Path) -> None:
    assert _audit(tmp_path, out=_report(SOUND)) == (0, "audit: 1 packages, 0 advisories\n", "")


def test_an_advisory_is_named_with_what_mends_it(tmp_path: Path) -> None:
    code, out, _ = _audit(tmp_path, out=_report({**SOUND, "vulns": [ADVISORY]}), code=1)
    assert code == 1
    assert out.splitlines()[0] == "arq 0.28.0: PYSEC-1, CVE-1, mended in 0.28.1"


def test_an_unreachable_service_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    err = "Traceback (most recent call last):\n  ...\nrequests.exceptions.ConnectionError: refused"
    code, out, told = _audit(tmp_path, err=err, code=1)
    assert (code, out) == (3, "")
    assert told == "audit: not checked: the advisories at api.osv.dev cannot be reached from here\n"


def test_what_nothing_was_told_of_does_not_pass_as_sound(tmp_path: Path) -> None:
    report = _report(SOUND, {"name": "motor", "skip_reason": "not found"})
    code, _, told = _audit(tmp_path, out=report)
    assert (code, told) == (3, "audit: not checked: nothing was told of motor\n")


def test_any_other_failure_gives_its_last_line(tmp_path: Path) -> None:
    code, _, told = _audit(tmp_path, err="usage\nERROR:pip_audit: no hash", code=2)
    assert (code, told) == (3, "audit: not checked: pip-audit failed: ERROR:pip_audit: no hash\n")
