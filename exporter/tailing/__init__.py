"""The logs of a source: which are read, what reads them, and on their way to the outbox."""

from exporter.tailing.source_logs import SourceLogs

__all__ = ["SourceLogs"]
