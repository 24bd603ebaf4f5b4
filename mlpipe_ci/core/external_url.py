"""Addresses of data that git does not have: faults of one, and what of it may be shown. Pure."""

import posixpath
import re
from enum import StrEnum

from blake3 import blake3

from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.core.paths import is_glob, literal_prefix
from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.workflow import ExternalInput


class UrlLayout(StrEnum):
    """What stands after the scheme of a URL, and whether it may mean many."""

    WEB = "web"
    """`host/path?query`: one file."""
    BUCKET = "bucket"
    """`bucket/key`: an object, all that match a pattern, or all below a `/` at the end."""
    DISK = "disk"
    """`/absolute/path`: as in a bucket."""


@frozen
class Scheme:
    """`reader`: the import path of what makes a `sources.base.Reader` from the environment."""

    reader: str
    layout: UrlLayout = UrlLayout.BUCKET


SCHEMES = {
    "https": Scheme(reader="mlpipe_ci.sources.http:open_http", layout=UrlLayout.WEB),
    "s3": Scheme(reader="mlpipe_ci.sources.buckets:Buckets"),
    "gs": Scheme(reader="mlpipe_ci.sources.buckets:Buckets"),
    "az": Scheme(reader="mlpipe_ci.sources.buckets:Buckets"),
    "file": Scheme(reader="mlpipe_ci.sources.local:open_local", layout=UrlLayout.DISK),
}
"""The kinds of source, by the scheme of their URLs. Named in messages in this order."""
ALIASES = {"http": "https", "s3a": "s3", "azure": "az"}
"""Schemes that are read as another."""
SECRET = regex(
    r"^(x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|sig|.*token.*|.*secret.*|"
    r".*password.*|api[-_]?key|access[-_]?key|authorization)$",
    re.IGNORECASE,
)
"""Names in a query that sign it or open a door: another signature is the same address."""
SIGNED = frozenset({"signature", "sig"})
WITH_SIGNATURE = frozenset(
    {"expires", "policy", "key-pair-id"}
    | {"se", "st", "sp", "spr", "sv", "sr", "ss", "srt", "si", "sip"}
    | {"skoid", "sktid", "skt", "ske", "sks", "skv"}
)
"""What stands beside a signature (CloudFront, Azure), and means nothing to the data."""
SHOWN = 80
"""Characters of what is no URL."""


def scheme_of(url: str) -> Scheme | None:
    """What is known of the URL's scheme; None for one that mlpipe does not read."""
    name, separator, _ = url.partition("://")
    name = name.lower()
    return SCHEMES.get(ALIASES.get(name, name)) if separator else None


def layout_of(url: str) -> UrlLayout | None:
    """What stands after the scheme; None for one that mlpipe does not read."""
    scheme = scheme_of(url)
    return scheme.layout if scheme else None


def is_many(url: str) -> bool:
    """True if the URL means all objects that match it, or that begin with it."""
    return layout_of(url) is not UrlLayout.WEB and (url.endswith("/") or is_glob(key_of(url)))


def key_of(url: str) -> str:
    """The path of an object in its bucket, or of a file, as it is written: nothing is decoded."""
    rest = url.partition("://")[2]
    return rest.partition("/")[2] if layout_of(url) is not UrlLayout.DISK else rest


def bucket_of(url: str) -> str:
    """The part of the URL that names the bucket: `s3://acme`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def prefix_of(url: str) -> str:
    """The directory in which all that a URL of many means lies, without `/` at its end."""
    key = key_of(url)
    return literal_prefix(key) if is_glob(key) else key.rstrip("/")


def address_of(external: ExternalInput, path: str) -> str:
    """The URL of what lies at a path, of a source of one or of many."""
    if not is_many(external.url):
        return external.url
    inner = path.removeprefix(external.path)
    if layout_of(external.url) is UrlLayout.DISK:
        return f"file://{prefix_of(external.url)}/{inner}"
    return "/".join(filter(None, (bucket_of(external.url), prefix_of(external.url), inner)))


def redacted(url: str) -> str:
    """The URL without what may be secret in it: credentials, and a query that is signed."""
    from urllib.parse import unquote, urlsplit  # noqa: PLC0415 - 2 ms, which few runs need

    parts = urlsplit(url)
    if not parts.scheme:
        return url[:SHOWN]
    host = parts.netloc.rsplit("@", 1)[-1]
    query = "?…" if parts.query else ""
    return f"{parts.scheme}://{host}{unquote(parts.path)}{query}"


def identity(url: str) -> str:
    """16 hexadecimal digits that are the same for the same data, however the URL is signed."""
    from urllib.parse import parse_qsl, urlencode, urlsplit  # noqa: PLC0415 - see above

    parts = urlsplit(url)
    given = parse_qsl(parts.query, keep_blank_values=True)
    signed = any(name.lower() in SIGNED for name, _ in given)
    query = [
        (name, value)
        for name, value in given
        if not SECRET.match(name) and not (signed and name.lower() in WITH_SIGNATURE)
    ]
    host = parts.netloc.rsplit("@", 1)[-1].lower()
    plain = f"{parts.scheme.lower()}://{host}{parts.path}?{urlencode(query)}"
    return blake3(plain.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def problem_with(external: ExternalInput) -> str:
    """What is wrong with an input from outside; empty if it can be asked for."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - see above

    url = external.url
    try:
        parts = urlsplit(url)
        layout, port = layout_of(url), parts.port
    except ValueError:
        return f"'{url:.80}' is no URL"
    del port
    if layout is None:
        *first, last = (f"{name}://" for name in SCHEMES)
        return f"'{redacted(url)}': mlpipe knows {', '.join(first)} and {last}"
    if parts.username or parts.password:
        return (
            f"'{redacted(url)}': credentials do not belong into the file; they are found as the "
            "platform's own clients find them (~/.netrc, AWS_PROFILE, …)"
        )
    return _form_fault(external, layout) or _path_fault(external)


def _form_fault(external: ExternalInput, layout: UrlLayout) -> str:
    from urllib.parse import urlsplit  # noqa: PLC0415 - see above

    url, parts = external.url, urlsplit(external.url)
    if layout is UrlLayout.DISK:
        wrong = parts.netloc or not parts.path.startswith("/")
        return f"'{url:.80}': write file:///absolute/path" if wrong else ""
    if not parts.hostname:
        what = "host" if layout is UrlLayout.WEB else "bucket"
        return f"'{url:.80}' names no {what}: {parts.scheme}://{what.upper()}/…"
    if layout is not UrlLayout.WEB and parts.query:
        return (
            f"'{redacted(url)}': an object store takes no query; for a signed URL write https://…"
        )
    if layout is UrlLayout.WEB and url.endswith("/"):
        return f"'{redacted(url)}' is a directory; over https name one file"
    if layout is UrlLayout.WEB and is_glob(parts.path) and external.path.endswith("/"):
        return f"'{redacted(url)}' is a pattern; over https name one file"
    return ""


def _path_fault(external: ExternalInput) -> str:
    path, many = external.path, is_many(external.url)
    if is_glob(path):
        return f"path '{path}' is a pattern; the URL may be one, the path is a place"
    if path in {".", "./"}:
        return "path is the whole repository; name a file or a directory"
    if many and not path.endswith("/"):
        return f"the URL means many, so path is a directory: '{path}/'"
    if not many and path.endswith("/"):
        name = posixpath.basename(external.url.partition("?")[0]) or "data"
        return f"the URL means one file, so path names it: '{path}{name}'"
    return ""
