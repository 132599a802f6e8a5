"""Names of attributes: those of the semantic conventions, and ours where they have none."""

from __future__ import annotations

from typing import Final, Literal

from opentelemetry.semconv._incubating.attributes.cicd_attributes import (
    CICD_PIPELINE_ACTION_NAME,
    CICD_PIPELINE_NAME,
    CICD_PIPELINE_RESULT,
    CICD_PIPELINE_RUN_ID,
    CicdPipelineResultValues,
)
from opentelemetry.semconv._incubating.attributes.k8s_attributes import K8S_POD_NAME
from opentelemetry.semconv._incubating.attributes.log_attributes import LOG_IOSTREAM, LOG_RECORD_UID
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE
from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.semconv.attributes.service_attributes import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE

Signal = Literal["logs", "traces"]
"""What has a path, a method and variables of its own."""

PIPELINE_PROVIDER: Final = "pipeline.provider"
LOG_TARGET: Final = "pipeline.log.target"
LOG_SPANS: Final = "pipeline.log.spans"
LOG_PART: Final = "pipeline.log.part"
LOG_FIELD_PREFIX: Final = "pipeline.log.field."
STATUS_FACET: Final = "pipeline.status.facet"
STATUS_FROM: Final = "pipeline.status.from"
STATUS_TO: Final = "pipeline.status.to"
STATUS_CHANGED: Final = "pipeline.status.changed"
"""The event's name."""

GOOD_RESULTS: Final = frozenset({CicdPipelineResultValues.SUCCESS.value, CicdPipelineResultValues.CANCELLATION.value})
"""The values of `cicd.pipeline.result` that are no error."""

__all__ = [
    "CICD_PIPELINE_ACTION_NAME",
    "CICD_PIPELINE_NAME",
    "CICD_PIPELINE_RESULT",
    "CICD_PIPELINE_RUN_ID",
    "ERROR_TYPE",
    "EXCEPTION_MESSAGE",
    "EXCEPTION_STACKTRACE",
    "EXCEPTION_TYPE",
    "GOOD_RESULTS",
    "K8S_POD_NAME",
    "LOG_FIELD_PREFIX",
    "LOG_IOSTREAM",
    "LOG_PART",
    "LOG_RECORD_UID",
    "LOG_SPANS",
    "LOG_TARGET",
    "PIPELINE_PROVIDER",
    "SERVICE_INSTANCE_ID",
    "SERVICE_NAME",
    "SERVICE_NAMESPACE",
    "STATUS_CHANGED",
    "STATUS_FACET",
    "STATUS_FROM",
    "STATUS_TO",
    "Signal",
]
