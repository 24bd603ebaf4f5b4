"""Opens an object store by its URL, with the credentials that other clients would find."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlpipe_ci.core.errors import UsageError
from mlpipe_ci.core.settings import from_env

SCHEMES = {"s3": "s3", "s3a": "s3", "gs": "gs", "az": "az", "azure": "az", "file": "file"}
"""Schemes of a URL, and which kind of store each is."""
RETRIES = 2
S3 = (
    *("access_key_id", "secret_access_key", "session_token", "region", "default_region"),
    *("endpoint", "endpoint_url", "skip_signature", "virtual_hosted_style_request"),
    *("imdsv1_fallback", "request_payer", "web_identity_token_file", "role_arn"),
    *("container_credentials_relative_uri", "container_credentials_full_uri"),
)
OWN_SOURCES = (
    *("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
"""Where obstore finds credentials by itself; all else (profiles, SSO, instances) boto3 finds."""
GOOGLE_STORAGE = "STORAGE_EMULATOR_HOST"
"""The variable by which Google's own clients find an emulator."""


def check(url: str) -> str:
    """Which kind of store a URL names. Raises UsageError if none is known."""
    parts = urlsplit(url)
    kind = SCHEMES.get(parts.scheme, "")
    if not kind:
        known = ", ".join(f"{scheme}://" for scheme in ("s3", "gs", "az", "file"))
        raise UsageError(f"cache.remote is '{without_credentials(url)}'; mlpipe knows {known}")
    if kind == "file" and (parts.netloc or not parts.path.startswith("/")):
        raise UsageError(f"cache.remote is '{url}'; write file:///absolute/path")
    if kind != "file" and not parts.netloc:
        raise UsageError(f"cache.remote is '{url}'; it names no bucket: {parts.scheme}://BUCKET/…")
    if parts.password or parts.query:
        raise UsageError(
            f"cache.remote is '{without_credentials(url)}'; credentials do not belong into the "
            "file: give them as environment variables"
        )
    return kind


def without_credentials(url: str) -> str:
    """The URL without what may be secret in it."""
    parts = urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    return f"{parts.scheme}://{host}{parts.path}"


def open_store(url: str, env: Mapping[str, str], what: str = "a remote cache") -> Any:
    """The store. Raises UsageError: the URL is wrong, a package is missing, no credentials.

    `what`: it is for, in words.
    """
    kind = check(url)
    try:
        from obstore.store import from_url  # noqa: PLC0415 - an extra, and 20 ms
    except ImportError as error:
        extra = kind if kind != "file" else "remote"
        raise UsageError(f"{what} needs more packages: pip install 'mlpipe-ci[{extra}]'") from error
    if kind == "file":
        path = Path(urlsplit(url).path)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{url} cannot be made: {error.strerror}") from error
        return from_url(path.as_uri())
    try:
        return from_url(url, **_settings(kind, env))
    except Exception as error:  # obstore's exceptions share no base that is not Exception
        text = str(error).split("\n", 1)[0]
        raise UsageError(f"{without_credentials(url)} cannot be opened: {text}") from error


def _settings(kind: str, env: Mapping[str, str]) -> dict[str, Any]:
    seconds = from_env(env).remote_timeout  # of one request, and of all tries of it
    config = {"s3": _s3, "gs": _google, "az": _azure}[kind](env)
    endpoint = str(config.get("endpoint") or config.get("endpoint_url") or "")
    plain = endpoint.startswith("http://") or _true(env.get("AZURE_STORAGE_USE_EMULATOR"))
    settings: dict[str, Any] = {
        "config": config,
        "client_options": {
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=min(seconds, 10.0)),
            "allow_http": plain or _google_emulator(kind, env).startswith("http://"),
        },
        "retry_config": {
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=seconds),
            "backoff": {
                "init_backoff": timedelta(seconds=0.2),
                "max_backoff": timedelta(seconds=5),
                "base": 2,
            },
        },
    }
    provider = _provider(kind, env)
    return settings | ({"credential_provider": provider} if provider else {})


def _s3(env: Mapping[str, str]) -> dict[str, Any]:
    found = {name: env[key] for name in S3 if env.get(key := f"AWS_{name.upper()}")}
    if endpoint := env.get("AWS_ENDPOINT_URL_S3"):
        found["endpoint"] = endpoint
    return found | {"checksum_algorithm": "sha256"}  # the store verifies each part as it comes


def _google(env: Mapping[str, str]) -> dict[str, Any]:
    names = ("service_account", "service_account_path", "service_account_key")
    found: dict[str, Any] = {
        name: env[key] for name in names if env.get(key := f"GOOGLE_{name.upper()}")
    }
    if path := env.get("GOOGLE_APPLICATION_CREDENTIALS"):
        found["application_credentials"] = path
    if host := _google_emulator("gs", env):
        found |= {"base_url": host, "skip_signature": True}
    return found


def _google_emulator(kind: str, env: Mapping[str, str]) -> str:
    host = env.get(GOOGLE_STORAGE, "") if kind == "gs" else ""
    return host if not host or "://" in host else f"http://{host}"


def _azure(env: Mapping[str, str]) -> dict[str, Any]:
    names = (
        *("storage_account_name", "storage_account_key", "storage_sas_key", "client_id"),
        *("client_secret", "tenant_id", "federated_token_file", "storage_use_emulator"),
        *("storage_endpoint", "endpoint", "storage_token", "use_azure_cli"),
    )
    return {name: env[key] for name in names if env.get(key := f"AZURE_{name.upper()}")}


def _provider(kind: str, env: Mapping[str, str]) -> Any:
    """Credentials that obstore does not find by itself, found by the platform's own package."""
    if kind == "s3" and not any(env.get(name) for name in OWN_SOURCES):
        return _from_boto3(env)
    return None


def _from_boto3(env: Mapping[str, str]) -> Any:
    try:
        import boto3  # noqa: PLC0415 - an extra, and 0.3 s
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "there are no credentials for S3 in the environment (AWS_ACCESS_KEY_ID …); for "
            "profiles, SSO and instance roles: pip install 'mlpipe-ci[s3]'"
        ) from error
    session = boto3.Session(profile_name=env.get("AWS_PROFILE") or None)
    if session.get_credentials() is None:
        raise UsageError(
            "there are no credentials for S3; log in (aws sso login), or set AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return Boto3CredentialProvider(session)


def _true(text: str | None) -> bool:
    return (text or "").lower() in {"1", "true", "yes"}
