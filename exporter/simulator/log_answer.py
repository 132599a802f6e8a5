"""The answer to a reader of a log. Without I/O: the stream in it opens when it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.answer import API_HEADERS, TEXT, Answer, error_answer
from exporter.simulator.log_request import LogCursorError, LogRequest, LogStream

if TYPE_CHECKING:
    from exporter.simulator.pipeline_record import PipelineRecord

_IDENTITY = {**API_HEADERS, "content-encoding": "identity"}
_REFUSED = "Failed to connect to host: Connection refused (os error 111)"
_TIMEOUT = (
    "timeout (10s) was reached: this means the runner took too long to respond -- the runner logs might contain "
    "additional information (original send request error: Timeout while waiting for response)"
)
_AFTER = {"retry-after": "5"}


def _unreachable(error: str) -> Answer:
    message = f"Unable to reach pipeline runner to interact due to: {error}"
    return error_answer(503, "RunnerInteractionUnreachable", message, {"error": error}, _AFTER)


RUNNER_DOWN = _unreachable(_REFUSED)
RUNNER_SILENT = _unreachable(_TIMEOUT)
CHANNEL_FULL = error_answer(
    503,
    "RunnerInteractionLogFollowRequestChannelFull",
    "Log follow request channel is full -- this indicates that the runner logging is overwhelmed",
    {},
    _AFTER,
)
CHANNEL_CLOSED = error_answer(
    500,
    "RunnerInteractionLogFollowRequestChannelClosed",
    "Log follow request channel is closed -- this indicates that the runner crashed unexpectedly",
    {},
)
NOT_FOUND_YET = Answer(404, headers=_IDENTITY, compressible=False, chunked=True)


def log_answer(pipeline: PipelineRecord, request: LogRequest) -> Answer:
    """Answer a reader whatever the state of the pipeline is, if only the runner is there and knows it."""
    runner = pipeline.world.runner
    if not runner.up:
        return RUNNER_DOWN
    try:
        position = request.position()
    except LogCursorError as error:
        message = f"Invalid log cursor '{error.value}': {error}"
        return error_answer(400, "InvalidLogCursorParam", message, {"value": error.value, "error": str(error)})
    if not runner.knows(pipeline):
        return NOT_FOUND_YET
    dropped = runner.drops > 0
    runner.drops -= dropped
    stream = LogStream(pipeline.logs, _notice(pipeline), request, dropped, position)
    return Answer(200, content_type=TEXT, headers=_STREAM, compressible=False, stream=stream)


_STREAM = {**_IDENTITY, "x-content-type-options": "nosniff"}


def _notice(pipeline: PipelineRecord) -> bytes | None:
    """Return the line that tells a reader without cursor what it will not see, with the time of now."""
    discarded = pipeline.logs.buffer.discarded
    if not discarded:
        return None
    return pipeline.style.runner(
        pipeline.world.now_us,
        "WARN",
        "pipeline_logs",
        f"... {discarded} prior log lines were discarded due to buffer constraints and are thus not shown.",
    )
