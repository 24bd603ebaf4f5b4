"""What lies around a Python interpreter: its prefix, its version. It is never asked: that takes
20 ms, and would run a program that the step might not have run.
"""

import os
import re
from contextlib import suppress

from mlpipe_ci.core.regex import regex

PYTHON = regex(r"(?:python|pypy)\d*(?:\.\d+)*t?")
LIBRARY = regex(r"((?:python|pypy)\d+\.\d+t?)(?:\.\d+)?")
"""A program that has the name of the directory of its library."""
OTHER = regex(r"pypy\d*(?:\.\d+)?|python[\d.]*t")
"""A program that is another implementation than CPython, or another build of it."""
CONFIGURATION = "pyvenv.cfg"


def prefix_of(executable: str) -> str:
    """The directory above `bin` of an environment, or of the interpreter where there is none."""
    near = os.path.dirname(os.path.dirname(os.path.abspath(executable)))
    if os.path.exists(f"{near}/{CONFIGURATION}"):
        return os.path.realpath(near)
    return base_of(executable)


def base_of(executable: str) -> str:
    """The directory above `bin` of the interpreter that an environment was made from."""
    return os.path.dirname(os.path.dirname(os.path.realpath(executable)))


def sees_user_site(executable: str) -> bool:
    """False for an environment that sees its own packages alone."""
    text = _text(f"{prefix_of(executable)}/{CONFIGURATION}")
    return not text or bool(re.search(r"(?im)^include-system-site-packages\s*=\s*true", text))


def library_of(executable: str) -> str:
    """The name of the directory of its library: `python3.11`; empty if that is not known."""
    found = LIBRARY.fullmatch(os.path.basename(os.path.realpath(executable)))
    version = re.match(r"\d+\.\d+", version_of(executable))
    return found[1] if found else f"python{version[0]}" if version else ""


def version_of(executable: str) -> str:
    """The version, with the name of an implementation that is not CPython; empty for none."""
    if not executable:
        return ""
    real = os.path.basename(os.path.realpath(executable))
    found = ""
    for prefix in dict.fromkeys((prefix_of(executable), base_of(executable))):
        for path in (f"{prefix}/{CONFIGURATION}", *_headers(prefix, real)):
            found = found or _version_in(_text(path))
    other = f" ({real})" if OTHER.fullmatch(real) else ""
    return f"{found}{other}" if found else real


def _version_in(text: str) -> str:
    found = re.search(r"^version(?:_info)?\s*=\s*(\S+)", text, re.MULTILINE)
    found = found or re.search(r'#define\s+PY_VERSION\s+"([^"]+)"', text)
    return found[1] if found else ""


def _headers(prefix: str, real: str) -> list[str]:
    """Where the version stands; one prefix may hold several interpreters."""
    if found := LIBRARY.fullmatch(real):
        return [f"{prefix}/include/{found[1]}/patchlevel.h"]
    with suppress(OSError):
        names = sorted(os.listdir(f"{prefix}/include"))
        return [f"{prefix}/include/{name}/patchlevel.h" for name in names]
    return []


def _text(path: str) -> str:
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""
