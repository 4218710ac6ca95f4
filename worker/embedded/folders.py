"""Where a private server keeps its data."""

import shutil
import tempfile
from pathlib import Path


class DataFolder:
    """The caller's folder, which is kept, or a temporary folder."""

    def __init__(self, given: Path | None) -> None:
        self._given = given
        self._temporary: Path | None = None

    @property
    def temporary(self) -> Path | None:
        """The temporary folder, if one exists now."""
        return self._temporary

    def open(self) -> Path:
        """The folder's absolute path. A missing folder is created, readable only by its owner."""
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
