from collections.abc import Callable, Mapping

from exporter.logs.run import OrdinaryHead

class Heads:
    def __init__(self, find: Callable[[bytes], OrdinaryHead]) -> None: ...

def take(
    block: bytes, at: int, prefix: bytes, end: bytes, seconds: Mapping[bytes, int], heads: Heads, max_bytes: int
) -> tuple[int, list[int], list[OrdinaryHead], list[bytes], bool]: ...
