"""Who may ask: the API key of a simulated server, and how a real one turns others away."""

from __future__ import annotations

from hmac import compare_digest
from typing import Any

from exporter.simulator.answer import TEXT, Answer, empty_answer, error_answer


def authenticate(api_key: str | None, authorization: str | None) -> Answer | None:
    """Return None for a request that may go on, and the refusal for any other. Without a key everything may."""
    if api_key is None:
        return None
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        return empty_answer(401, {"www-authenticate": "Bearer"})
    if compare_digest(token.encode(), api_key.encode()):
        return None
    if token.startswith("apikey:"):
        answer = error_answer(401, "AuthenticationFailed", "Unauthorized API key")
        return Answer(answer.status, answer.body, TEXT, answer.headers)
    return empty_answer(401, {"www-authenticate": 'Bearer error_description="Malformed JWT: missing iss claim"'})


def authentication_document(api_key: str | None) -> dict[str, Any]:
    """Return the document of `/config/authentication`, which everybody may read."""
    if api_key is None:
        return {}
    base = "http://127.0.0.1:9"
    return {"AwsCognito": {"issuer": f"{base}/iss", "login_url": f"{base}/login", "logout_url": f"{base}/logout"}}
