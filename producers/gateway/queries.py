"""The names in the query of a request."""

from collections.abc import Sequence, Set

from fastapi import Request

from producers.gateway.problems import invalid_names


async def only_known_names(request: Request) -> None:
    """Raise `Problem` for a query with a name that the OpenAPI document does not have, or has for one value, twice.

    A slip in a filter would select everything.
    """
    if not request.scope["query_string"]:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path_format][request.method.lower()]
    schemas = {it["name"]: it["schema"] for it in operation.get("parameters", ()) if it["in"] == "query"}
    lists = {name for name, schema in schemas.items() if schema.get("type") == "array"}
    check_names([name for name, _ in request.query_params.multi_items()], schemas.keys(), lists)


def check_names(given: Sequence[str], known: Set[str], lists: Set[str] = frozenset()) -> None:
    """Raise `Problem` if a name is not known, or is given twice and not among the lists."""
    reasons = dict.fromkeys([name for name in given if name not in known], "unknown parameter")
    for name in known & set(given) - lists:
        if given.count(name) > 1:
            reasons[name] = "given twice"
    if reasons:
        raise invalid_names(reasons)
