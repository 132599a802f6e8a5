"""One poller a source, and the scheduler that runs them on time."""
