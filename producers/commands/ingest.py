"""`hospital-producer ingest`: import files."""

from pathlib import Path
from typing import Annotated

import typer

from producers.commands.checking import check
from producers.commands.running import RunOptions, run_import
from producers.commands.support import INTERRUPTED, JsonOption, WaitOption, before_sending, combined, refused
from producers.file_options import takes_file_options
from producers.files import FileError, FileWishes, HospitalFile
from producers.files.inputs import input_files
from worker.contract import OnExisting

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE",
        help="lists in any format, compressed or not; folders; - for standard input",
    ),
]
OnExistingOption = Annotated[
    OnExisting,
    typer.Option(help="keep a stored hospital that differs, merge the file's values into it, or replace it"),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="FOLDER", help="where the folder of the import's report is made"),
]
ReportCsvOption = Annotated[bool, typer.Option("--report-csv", help="write the report as CSV, not NDJSON")]


@takes_file_options
def ingest(
    paths: FilesArgument,
    wishes: FileWishes,
    *,
    on_existing: OnExistingOption = "keep",
    report: ReportOption = None,
    report_csv: ReportCsvOption = False,
    wait: WaitOption = 120,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check all rows, but change nothing")] = False,
    as_json: JsonOption = False,
) -> int:
    """Import lists of hospitals, each as one import. Rows that are not applied are in its report."""
    codes: list[int] = []
    with input_files(paths) as files:
        options = RunOptions(
            report=report, report_csv=report_csv, wait=wait, as_json=as_json, one_of_several=len(files) > 1
        )
        for path in files:
            try:
                with before_sending(path):
                    file = HospitalFile.open(path, wishes)
                if dry_run:
                    codes.append(check(file, options, on_existing=on_existing))
                else:
                    codes.append(run_import(file, options, on_existing=on_existing))
            except FileError as error:
                # The other files are imported even so.
                codes.append(refused(path, str(error), as_json=as_json, one_of_several=options.one_of_several))
            if codes[-1] == INTERRUPTED:
                return INTERRUPTED
    return combined(codes)
