"""The gateway answers as its OpenAPI document says, to what the document allows and to what it does not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    missing_required_header,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from producers.gateway.guard import OPEN_PATHS
from tests.acceptance.conftest import Site
from tests.acceptance.gateway.conftest import key_of, serving, settings_of

_EXAMPLES = 30
# Each takes a process of its own.
_FEW = {"POST /v1/imports": 3}
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
    missing_required_header,
    unsupported_method,
    allow_header_conformance,
]


def _is_sent(case: Any) -> bool:
    """Whether every parameter is in the address: an empty one is not, and may be all that is wrong."""
    return all(value not in (None, [], {}) for value in (case.query or {}).values())


def _asking(operation: Any, mode: GenerationMode, url: str) -> Callable[[], None]:
    headers = {"Authorization": f"Bearer {key_of('boss')}"}

    @settings(
        max_examples=_FEW.get(operation.label, _EXAMPLES),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode).filter(_is_sent))
    def ask(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=headers, checks=_CHECKS, timeout=20)

    return ask


@pytest.mark.parametrize("mode", list(GenerationMode))
async def test_every_operation_answers_as_the_document_says(site: Site, mode: GenerationMode) -> None:
    def ask_all(url: str) -> int:
        document = schemathesis.openapi.from_url(f"{url}/v1/openapi.json")
        found = list(document.get_all_operations())
        operations = [it.ok() for it in found if isinstance(it, Ok)]
        assert len(operations) == len(found)
        if mode is GenerationMode.NEGATIVE:
            # Nothing can be wrong in a request without a key, parameters and a body.
            operations = [it for it in operations if it.path not in OPEN_PATHS]
        for operation in operations:
            _asking(operation, mode, url)()
        return len(operations)

    async with serving(**settings_of(site), gateway_rate=100_000) as gateway:
        assert await asyncio.to_thread(ask_all, gateway.url) >= 18
