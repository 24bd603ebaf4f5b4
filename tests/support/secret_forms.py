"""A secret as programs print it."""

import base64
import html
import json
from urllib.parse import quote, quote_plus


def forms(secret: str) -> dict[str, str]:
    """How it is written, by who writes it so."""
    data = secret.encode()
    return {
        "raw": secret,
        "quote": quote(secret),
        "quote all": quote(secret, safe=""),
        "quote some": quote(secret, safe="!'()*"),
        "quote_plus": quote_plus(secret),
        "JSON": json.dumps(secret)[1:-1],
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON of JavaScript in HTML": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "Python": repr(secret)[1:-1],
        "Python's bytes": repr(data)[2:-1],
        "HTML": html.escape(secret),
        "base64": base64.b64encode(data).decode(),
        "base64 of URLs": base64.urlsafe_b64encode(data).decode(),
        "base64 without =": base64.b64encode(data).decode().rstrip("="),
        "base64 in a URL": quote(base64.b64encode(data).decode(), safe=""),
    }


def core(secret: str, before: int) -> str:
    """What of its base64 does not depend on what stands before, so many bytes, and after."""
    text = base64.b64encode(b"x" * before + secret.encode()).decode()
    start = (0, 2, 3)[before % 3] + before // 3 * 4
    return text[start : (before + len(secret.encode())) * 8 // 6]
