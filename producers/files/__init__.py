"""Reads hospitals from CSV and NDJSON files: streamed, mapped to fields and validated, each row with its line."""

from producers.files.errors import FileError
from producers.files.hospitals import FileWishes, HospitalFile
from producers.files.rejects import RejectWriter, rejects_path
from producers.files.table import FileFormat
from producers.files.values import FileRow

__all__ = ["FileError", "FileFormat", "FileRow", "FileWishes", "HospitalFile", "RejectWriter", "rejects_path"]
