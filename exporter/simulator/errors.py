"""Errors of pipelines, in the words of a real server."""

from __future__ import annotations

from typing import Any

EXIT_MESSAGE = "Pipeline process exited prematurely with exit status: 101"


def runner_check_error(error: str = EXIT_MESSAGE) -> dict[str, Any]:
    """Return the deployment error of a pipeline process that is gone."""
    return {
        "message": "Pipeline check failed: compute and/or storage resources encountered a fatal error.\n\n" + error,
        "error_code": "RunnerCheckError",
        "details": {"error": error},
    }


def provisioning_timeout() -> dict[str, Any]:
    """Return the deployment error of a pipeline whose resources never came."""
    return {
        "message": "Pipeline could not be provisioned within the timeout of 20s. Possible reasons:\n\n"
        "1) It takes too long to bring up the pipeline (e.g., cloud resources) compared to the timeout.\n"
        "   If so, try increasing `provisioning_timeout_secs` in the Pipeline settings.\n\n"
        "2) Your cloud environment could not provision some required resources like volumes or containers.\n"
        "   The pipeline logs might provide more insight if this is the case.\n",
        "error_code": "AutomatonProvisioningTimeout",
        "details": {"timeout": {"secs": 20, "nanos": 0}},
    }


def worker_panic(frames: int = 40) -> dict[str, Any]:
    """Return a fatal error that the pipeline reported itself, with a long backtrace."""
    trace = "\n".join(
        f"   {number}: dbsp::circuit::runtime::f{number}\n             at ./crates/dbsp/src/circuit/runtime.rs:{number}:5"
        for number in range(frames)
    )
    return {
        "message": "One or more worker threads terminated unexpectedly\nworker thread 0 panicked\n"
        f"panic message: index out of bounds\npanic location: crates/dbsp/src/x.rs:1:2\nstack trace:\n{trace}",
        "error_code": "RuntimeError.WorkerPanic",
        "details": {"panic_info": [[0, "Foreground", {"message": "index out of bounds", "backtrace": trace}]]},
    }


def sql_error() -> dict[str, Any]:
    """Return the `program_error` of a program that the SQL compiler refuses."""
    message = {
        "start_line_number": 3,
        "start_column": 18,
        "end_line_number": 3,
        "end_column": 22,
        "warning": False,
        "error_type": "Error parsing SQL",
        "message": "Non-query expression encountered in illegal context",
        "snippet": "    3|CREATE VIEW w AS SELEC 1;\n                       ^^^^^\n",
    }
    return {
        "sql_compilation": {"exit_code": 1, "messages": [message]},
        "rust_compilation": None,
        "system_error": None,
    }


def rust_outcome(exit_code: int, stderr: str) -> dict[str, Any]:
    """Return the `program_error` after a run of the Rust compiler, successful or not."""
    return {
        "sql_compilation": {"exit_code": 0, "messages": []},
        "rust_compilation": {"exit_code": exit_code, "stdout": "", "stderr": stderr},
        "system_error": None,
    }


def system_error() -> dict[str, Any]:
    """Return the `program_error` of a compiler that did not work."""
    return {
        "sql_compilation": None,
        "rust_compilation": None,
        "system_error": "SQL compiler process returned with exit status code (1) and stderr which cannot be deserialized",
    }
