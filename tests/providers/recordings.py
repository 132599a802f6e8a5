"""The recorded answers of a real server: what was asked and the bytes that came. They are kept beside the repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.recordings import FOLDER

_URL = re.compile(r"https?://[^/ ']+(/[^ '\n]*)")
_METHOD = re.compile(r" -X (\w+)")
_FRAMING = ("content-length:", "transfer-encoding:", "connection:")


@dataclass(frozen=True)
class Recording:
    """One recorded exchange. `status` is empty where no HTTP answer was recorded."""

    name: str
    method: str
    target: str
    status: str
    headers: tuple[str, ...]
    body: bytes

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    @property
    def pipeline(self) -> str:
        """The pipeline that the path names."""
        return self.path.split("/")[3]

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def reply(self) -> bytes:
        """The answer as it was sent: only the framing is made anew, as some bodies were edited by hand."""
        kept = [line for line in self.headers if not line.lower().startswith(_FRAMING)]
        body = self.body
        if any(line.lower() == "transfer-encoding: chunked" for line in self.headers):
            kept.append("transfer-encoding: chunked")
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        else:
            kept.append(f"content-length: {len(body)}")
        return "\r\n".join([self.status, *kept, "", ""]).encode() + body


def names() -> list[str]:
    """Return the names of all recordings."""
    return sorted(folder.name for folder in FOLDER.iterdir() if folder.is_dir())


def recording(name: str) -> Recording:
    """Read one recording."""
    folder = FOLDER / name
    request = (folder / "request.txt").read_text()
    url = _URL.search(request)
    method = _METHOD.search(request)
    head = (folder / "headers").read_text().split("\n\n")[0] if (folder / "headers").exists() else ""
    status, *headers = head.splitlines() or [""]
    return Recording(
        name=name,
        method="HEAD" if " -I " in request else method[1] if method else "GET",
        target=url[1] if url else "",
        status=status,
        headers=tuple(headers),
        body=(folder / "body").read_bytes(),
    )
