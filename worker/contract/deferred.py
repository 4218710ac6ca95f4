"""`Deferred`: models that are built at their first use, in whatever thread that is."""

import threading
from typing import Any

from pydantic import BaseModel, ConfigDict

# One for all, because building one model reads others. Reentrant, because a user's hook may use a model meanwhile.
_building = threading.RLock()


class Deferred(BaseModel):
    """A model whose validator is made when it is used first: that of all takes as long as the import of a client.

    Before version 2.14, pydantic makes it in several threads at once if they use the model first at the same time,
    and one of them may find what another has half made: it refuses what is valid.
    """

    model_config = ConfigDict(defer_build=True)

    @classmethod
    def model_rebuild(cls, **options: Any) -> bool | None:
        """Build the model, as pydantic does at its first use; a thread that finds it being built waits."""
        with _building:
            return super().model_rebuild(**options)
