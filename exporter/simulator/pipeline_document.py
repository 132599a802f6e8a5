"""The JSON object of a pipeline, with the keys and their order as the server sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.identifiers import rfc3339

if TYPE_CHECKING:
    from exporter.simulator.pipeline_record import PipelineRecord

_ONLY_ALL = (
    "runtime_config",
    "program_code",
    "udf_rust",
    "udf_toml",
    "program_error",
    "program_info",
    "deployment_resources_status_details",
)
_PROGRAM_CONFIG = {"profile": None, "cache": True, "runtime_version": None, "use_platform_compiler": False}
_RUNTIME_CONFIG: dict[str, Any] = {
    "workers": 8,
    "max_rss_mb": None,
    "datafusion_memory_mb": None,
    "hosts": 1,
    "storage": {
        "backend": {"name": "default"},
        "min_storage_bytes": None,
        "min_step_storage_bytes": None,
        "compression": "default",
        "cache_mib": None,
    },
    "fault_tolerance": {"model": "none", "checkpoint_interval_secs": 60},
    "cpu_profiler": True,
    "tracing": False,
    "tracing_endpoint_jaeger": "127.0.0.1:6831",
    "min_batch_size_records": 0,
    "max_buffering_delay_usecs": 0,
    "resources": {
        "cpu_cores_min": None,
        "cpu_cores_max": None,
        "memory_mb_min": None,
        "memory_mb_max": None,
        "storage_mb_max": None,
        "storage_class": None,
        "service_account_name": None,
        "namespace": None,
    },
    "clock_resolution_usecs": 1000000,
    "clock_timezone_offset": None,
    "pin_cpus": [],
    "provisioning_timeout_secs": None,
    "max_parallel_connector_init": None,
    "init_containers": None,
    "checkpoint_during_suspend": True,
    "http_workers": None,
    "io_workers": None,
    "env": {},
    "dev_tweaks": {},
    "logging": None,
    "pipeline_template_configmap": None,
}
_PROGRAM_INFO = {
    "schema": {"inputs": [], "outputs": []},
    "udf_stubs": "// Compiler-generated file.\n",
    "input_connectors": {},
    "output_connectors": {},
}
_COMPILED = {"SqlCompiled", "CompilingRust", "Success", "RustError"}


def pipeline_document(pipeline: PipelineRecord, selector: str) -> dict[str, Any]:
    """Return what the API says of a pipeline for one of the selectors `all`, `status`, `status_with_connectors`."""
    document = {**_identity(pipeline), **_deployment(pipeline)}
    if selector != "all":
        for key in _ONLY_ALL:
            del document[key]
    if selector == "status_with_connectors":
        num_errors = _connector_errors(pipeline.state.runtime_details)
        if num_errors is not None:
            document["connectors"] = {"num_errors": num_errors}
    return document


def _identity(pipeline: PipelineRecord) -> dict[str, Any]:
    state = pipeline.state
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "description": pipeline.description,
        "tags": pipeline.tags,
        "created_at": rfc3339(pipeline.created_us),
        "version": pipeline.version,
        "platform_version": pipeline.world.version,
        "runtime_config": _RUNTIME_CONFIG,
        "program_code": pipeline.program_code,
        "udf_rust": "",
        "udf_toml": "",
        "program_config": _PROGRAM_CONFIG,
        "program_version": pipeline.program_version,
        "program_status": state.program,
        "program_status_since": _since(pipeline, "program"),
        "program_error": pipeline.program_error,
        "program_info": _PROGRAM_INFO if state.program in _COMPILED else None,
        "deployment_error": state.error,
        "refresh_version": pipeline.refresh_version,
        "storage_status": state.storage,
        "storage_status_details": state.storage_details,
    }


def _deployment(pipeline: PipelineRecord) -> dict[str, Any]:
    state = pipeline.state
    status, status_of = (state.resources, "resources")
    if state.resources == "Provisioned" and state.runtime is not None:
        status, status_of = (state.runtime, "runtime")
    desired, desired_of = (state.resources_desired, "resources_desired")
    if state.resources_desired == "Provisioned":
        desired = pipeline.deployment_initial or desired
        if state.runtime_desired is not None:
            desired, desired_of = (state.runtime_desired, "runtime_desired")
    return {
        "deployment_id": pipeline.deployment_id,
        "deployment_initial": pipeline.deployment_initial,
        "deployment_status": status,
        "deployment_status_since": _since(pipeline, status_of),
        "deployment_desired_status": desired,
        "deployment_desired_status_since": _since(pipeline, desired_of),
        "deployment_resources_status": state.resources,
        "deployment_resources_status_details": state.resources_details,
        "deployment_resources_status_since": _since(pipeline, "resources"),
        "deployment_resources_desired_status": state.resources_desired,
        "deployment_resources_desired_status_since": _since(pipeline, "resources_desired"),
        "deployment_runtime_status": state.runtime,
        "deployment_runtime_status_details": state.runtime_details,
        "deployment_runtime_status_since": _since(pipeline, "runtime"),
        "deployment_runtime_desired_status": state.runtime_desired,
        "deployment_runtime_desired_status_since": _since(pipeline, "runtime_desired"),
        "bootstrap_policy": "await_approval" if pipeline.deployment_initial is not None else None,
        "silent_bootstrap": False,
        "concurrent_bootstrap": False,
    }


def _since(pipeline: PipelineRecord, word: str) -> str | None:
    at_us = pipeline.since_us[word]
    return None if at_us is None else rfc3339(at_us)


def _connector_errors(details: Any) -> int | None:
    statistics = details.get("connector_stats") if isinstance(details, dict) else None
    errors = statistics.get("num_errors") if isinstance(statistics, dict) else None
    return errors if isinstance(errors, int) else None
