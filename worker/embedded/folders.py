"""Where a private server keeps its data."""

import shutil
import tempfile
from pathlib import Path


class DataFolder:
    """A folder that the caller gave and keeps, or a temporary one of our own."""

    def __init__(self, given: Path | None) -> None:
        self._given = given
        self._temporary: Path | None = None

    @property
    def temporary(self) -> Path | None:
        """The temporary folder, if there is one now."""
        return self._temporary

    def open(self) -> Path:
        """The folder's absolute path; made if it is missing, and readable by its owner alone."""
        if self._given is not None:
            self._given.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._given.resolve()
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="hospital-registry-")).resolve()
        return self._temporary

    def discard(self) -> None:
        """Remove the folder if it is temporary."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary)
            self._temporary = None
