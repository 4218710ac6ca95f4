"""Reads hospitals from CSV and NDJSON files: streamed, mapped to fields and validated, each row with its line."""

from producers.files.errors import FileError
from producers.files.hospitals import FileRow, FileWishes, HospitalFile
from producers.files.rejects import RejectWriter, rejects_path
from producers.files.table import FileFormat

__all__ = ["FileError", "FileFormat", "FileRow", "FileWishes", "HospitalFile", "RejectWriter", "rejects_path"]
