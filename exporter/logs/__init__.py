"""From bytes of a log stream to records: pure functions and small classes, no I/O except in the tailer."""
