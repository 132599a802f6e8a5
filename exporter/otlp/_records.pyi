from collections.abc import Mapping

from exporter.logs.run import OrdinaryHead

def encode(
    times: list[int],
    heads: list[OrdinaryHead],
    bodies: list[bytes],
    fields: Mapping[OrdinaryHead, bytes],
    same: bytes,
    uid_heads: list[bytes],
    beginning: bytes,
    number: int,
) -> bytes: ...
