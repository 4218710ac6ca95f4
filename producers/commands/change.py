"""`hospital-producer amend|withdraw|correct|discard`: change or remove one hospital."""

from typing import Annotated

import typer
from typer.exceptions import TyperException

from producers.commands.one_job import ActorOption, KeyOption, ReasonOption, run_one
from producers.commands.support import JsonOption, WaitOption, pairs
from producers.from_text import changes_from_text
from worker.contract import (
    AMEND_HOSPITAL,
    CORRECT_HOSPITAL,
    DISCARD_HOSPITAL,
    WITHDRAW_HOSPITAL,
    AmendHospital,
    CorrectHospital,
    DiscardHospital,
    HospitalChanges,
    WithdrawHospital,
)
from worker.contract.validation import parse

HospitalArgument = Annotated[
    str, typer.Argument(metavar="HOSPITAL", help="its id, as hospital-worker registry list shows it, such as hr:42")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="new value; FIELD= clears it; attributes={…} replaces all; repeatable"
    ),
]
RevisionSeen = Annotated[
    int, typer.Option("--revision", min=1, help="the revision that you have seen; a later one is a conflict")
]
RevisionOption = Annotated[
    int | None, typer.Option(min=1, help="the revision that you have seen, so that a later one is a conflict")
]


def amend(
    hospital: HospitalArgument,
    *,
    actor: ActorOption,
    reason: ReasonOption,
    fields: SetOption = None,
    revision: RevisionOption = None,
    key: KeyOption = None,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Change a registered hospital, with an audit log entry."""
    given = {
        "hospital_id": hospital,
        "changes": _changes(fields),
        "actor": actor,
        "reason": reason,
        "revision": revision,
    }
    payload = parse(AmendHospital, given)
    return run_one(AMEND_HOSPITAL, payload, "Amendment", done="amended", key=key, wait=wait, as_json=as_json)


def withdraw(
    hospital: HospitalArgument,
    *,
    actor: ActorOption,
    reason: ReasonOption,
    revision: RevisionOption = None,
    key: KeyOption = None,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Remove a registered hospital, with an audit log entry that keeps it."""
    given = {"hospital_id": hospital, "actor": actor, "reason": reason, "revision": revision}
    payload = parse(WithdrawHospital, given)
    return run_one(WITHDRAW_HOSPITAL, payload, "Withdrawal", done="withdrawn", key=key, wait=wait, as_json=as_json)


def correct(
    hospital: HospitalArgument,
    *,
    revision: RevisionSeen,
    fields: SetOption = None,
    key: KeyOption = None,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Change a partial hospital, which is not registered. The audit log has no entry of it."""
    given = {"hospital_id": hospital, "changes": _changes(fields), "revision": revision}
    payload = parse(CorrectHospital, given)
    return run_one(CORRECT_HOSPITAL, payload, "Correction", done="corrected", key=key, wait=wait, as_json=as_json)


def discard(
    hospital: HospitalArgument,
    *,
    revision: RevisionSeen,
    key: KeyOption = None,
    wait: WaitOption = 120,
    as_json: JsonOption = False,
) -> int:
    """Remove a partial hospital, which is not registered, for good. The audit log has no entry of it."""
    payload = parse(DiscardHospital, {"hospital_id": hospital, "revision": revision})
    return run_one(DISCARD_HOSPITAL, payload, "Discard", done="discarded", key=key, wait=wait, as_json=as_json)


def _changes(fields: list[str] | None) -> HospitalChanges:
    if not fields:
        raise TyperException("give at least one --set FIELD=VALUE")
    return changes_from_text(pairs("--set", fields, may_be_empty=True))
