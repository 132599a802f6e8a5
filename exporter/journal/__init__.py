"""The SQLite file that outlives the process: what it holds is committed before it is shown or sent."""

from exporter.journal._errors import JournalError, JournalInUseError
from exporter.journal._file import KEEP_GONE_SECONDS
from exporter.journal._groups import Group
from exporter.journal._journal import Journal
from exporter.journal._logs import LOGS, SPANS, LogBatch, LogCommit, PositionRow, Table, Waiting
from exporter.journal._status import JobRow, PipelineRow, SourceRow, StatusBatch

__all__ = [
    "KEEP_GONE_SECONDS",
    "LOGS",
    "SPANS",
    "Group",
    "JobRow",
    "Journal",
    "JournalError",
    "JournalInUseError",
    "LogBatch",
    "LogCommit",
    "PipelineRow",
    "PositionRow",
    "SourceRow",
    "StatusBatch",
    "Table",
    "Waiting",
]
