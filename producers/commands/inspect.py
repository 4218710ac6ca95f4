"""`hospital-producer inspect`: look at a file before it is imported."""

from pathlib import Path
from typing import Annotated

import typer

from producers.commands.checking import check
from producers.commands.ingest import FilesArgument, OnExistingOption
from producers.commands.running import RunOptions
from producers.commands.support import (
    DONE,
    INTERRUPTED,
    NOTHING,
    JsonOption,
    WaitOption,
    before_sending,
    combined,
    refused,
)
from producers.console import print_note
from producers.file_options import takes_file_options
from producers.files import FileError, FileWishes, HospitalFile
from producers.files.inputs import input_files
from producers.files.profile import write_profile
from producers.files.spooling import spooled_part


@takes_file_options
def inspect(
    paths: FilesArgument,
    wishes: FileWishes,
    *,
    on_existing: OnExistingOption = "keep",
    save: Annotated[
        Path | None, typer.Option("--save", metavar="PROFILE", help="write how the list is read to this TOML file")
    ] = None,
    wait: WaitOption = 10,
    as_json: JsonOption = False,
) -> int:
    """Show how a list would be read and what an import of it would do. Changes nothing."""
    codes: list[int] = []
    with input_files(paths) as files:
        if save is not None and len(files) > 1:
            raise FileError(save, "one profile is for one list; inspect the files one by one")
        options = RunOptions(
            report=None, report_csv=False, wait=wait, as_json=as_json, one_of_several=len(files) > 1
        )
        for path in files:
            try:
                with before_sending(path):
                    file = HospitalFile.open(path, wishes)
                codes.append(check(file, options, on_existing=on_existing))
            except FileError as error:
                codes.append(refused(path, str(error), as_json=as_json, one_of_several=options.one_of_several))
                continue
            if codes[-1] == INTERRUPTED:
                return INTERRUPTED
            if save is not None:
                write_profile(save, file.profile)
                given = path if spooled_part(path) is None else "-"
                print_note(f"the profile is in {save}; use it with: ingest {given} --profile {save}")
    # Whatever was found, the files were inspected.
    return combined(DONE if code != NOTHING else code for code in codes)
