"""What encoding costs: `python -m tests.otlp.bench_encode`."""

from __future__ import annotations

import sys
from timeit import repeat

from exporter.otlp.encode import encode_record, export_request, resource_bytes
from tests.otlp.samples import UID, record

ROUNDS = 5
RECORDS = 5000


def main() -> None:
    """Print the cost of a record, and of a record in a request."""
    common = record(body=b"x" * 150)
    encoded = [encode_record(common, UID)] * RECORDS
    resource = resource_bytes({"service.name": "orders"})
    one = min(repeat(lambda: encode_record(common, UID), number=100_000, repeat=ROUNDS)) / 100_000
    request = min(repeat(lambda: export_request([(resource, encoded)]), number=20, repeat=ROUNDS)) / 20 / RECORDS
    sys.stdout.write(f"encode_record {one * 1e6:.3f} µs, export_request {request * 1e6:.3f} µs a record\n")


if __name__ == "__main__":
    main()
