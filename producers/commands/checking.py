"""Checks all rows of a file and, if it can be reached, compares them with the registry. Changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import get_args

from producers import ctrl_c
from producers.commands import support
from producers.commands.running import RunOptions
from producers.commands.support import DONE, INTERRUPTED, NOTHING, PARTLY, before_sending
from producers.commands.tables import show_inspection
from producers.console import print_error, print_note, progress_bar, show_json
from producers.files import HospitalFile
from producers.files.spooling import shown_path
from producers.inspection import FieldFindings, Inspection, inspect_file
from worker.contract import OnExisting, RecordStatus
from worker.errors import RegistryError

_PATIENCE_S = 3
# The fate of a row that differs from an earlier one of the same hospital.
_DIFFERING: Mapping[OnExisting, RecordStatus] = {"keep": "kept", "merge": "merged", "replace": "replaced"}
_APPLIED = ("created", "merged", "replaced", "same")


@dataclass(frozen=True, slots=True)
class _Compared:
    """What would become of the rows by fate, or None and the `problem` why that is not known.

    `stored_twice` and `erased` say why an import would be refused.
    """

    fates: Mapping[str, int] | None
    problem: str = ""
    stored_twice: str = ""
    erased: str = ""
    notes: Sequence[str] = ()


def check(file: HospitalFile, options: RunOptions, *, on_existing: OnExisting) -> int:
    """Read and compare all rows, and show what was found. Returns the exit code.

    It is 0 if an import could apply every row, as far as that is known, and 2 if it would be refused.
    """
    try:
        with before_sending(file.path), progress_bar(file.lines) as on_progress:
            found = inspect_file(file, on_progress, on_existing=on_existing)
        compared = _compare(file, found, on_existing, options.wait)
    except KeyboardInterrupt:
        print_error("interrupted; nothing was changed")
        return INTERRUPTED
    fates = compared.fates
    if options.as_json:
        show_json(_facts(file, found, compared), one_of_several=options.one_of_several)
    else:
        show_inspection(file, found, fates, compared.problem)
        for note in [*filter(None, [compared.stored_twice, compared.erased]), *compared.notes]:
            print_note(note)
    if compared.erased or (compared.stored_twice and not file.identity_is_given):
        return NOTHING
    if fates is None:
        fit = found.usable + (found.differing if _DIFFERING[on_existing] in _APPLIED else 0)
    else:
        fit = sum(fates[status] for status in _APPLIED)
    fit += found.repeated
    if fit == found.rows and not file.unread:
        return DONE
    # Rows that leave what is stored as it is, as all may of a list that was loaded before, are no refusal.
    return PARTLY if found.usable or found.repeated or found.differing else NOTHING


def _compare(file: HospitalFile, found: Inspection, on_existing: OnExisting, wait: float) -> _Compared:
    async def ask() -> _Compared:
        from producers.identities import notes_on, why_erased, why_refused  # noqa: PLC0415  # as in `support.connect`
        from producers.previewing import preview  # noqa: PLC0415  # as in `support.connect`

        async with support.connect(_PATIENCE_S) as producer:
            expected = await preview(producer, found.usable_rows(file), on_existing=on_existing, wait_s=wait)
        fates = {status: expected.counts[status] for status in get_args(RecordStatus)}
        fates["rejected"] += found.rejected
        fates["collision"] += found.collisions
        fates[_DIFFERING[on_existing]] += found.differing
        return _Compared(
            fates,
            stored_twice=why_refused(file, expected),
            erased=why_erased(file, expected, on_existing),
            notes=notes_on(file, expected),
        )

    try:
        return ctrl_c.run(ask())
    except TimeoutError:
        return _Compared(None, problem=f"no worker answered within {wait:g} s")
    except RegistryError as error:
        return _Compared(None, problem=str(error))


def _facts(file: HospitalFile, found: Inspection, compared: _Compared) -> dict[str, object]:
    return {
        "file": shown_path(file.path),
        **asdict(file.dialect),
        "rows": found.rows,
        "rejected": found.rejected,
        "reasons": dict(found.reasons.most_common()),
        "collisions": found.collisions,
        "repeated": found.repeated,
        "differing": found.differing,
        "identified_by_source": found.by_id,
        "fields": {
            it.field: {
                "columns": list(it.columns),
                "why": it.why,
                **asdict(found.fields.get(it.field, FieldFindings())),
            }
            for it in file.columns.mapped
        },
        "columns_left_out": list(file.columns.left_out),
        "notes": [*file.notes, *compared.notes],
        "registry": compared.fates,
        "registry_problem": compared.problem or None,
        "stored_twice": compared.stored_twice or None,
        "erased": compared.erased or None,
    }
