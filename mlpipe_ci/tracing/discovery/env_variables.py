"""Environment variables that the sources of a step name. Pure."""

import re
from collections.abc import Iterable

from mlpipe_ci.core.settings import ROOT, STEP

PYTHON = re.compile(
    r"""(?:environ(?:\.get|\.pop|\.setdefault)?\s*[\[(]|getenv\s*\()\s*[rbu]?["']([A-Za-z_]\w*)["']"""
)
PRINTED = re.compile(r"\bprintenv\s+([A-Za-z_]\w*)")
MAKE = re.compile(r"\$[({]([A-Za-z_]\w*)[)}]")
MAKEFILE = re.compile(r"(?:GNUm|[mM])akefile$|\.mk$")
SHELL = re.compile(r"\$(?:\{[!#]?)?([A-Za-z_]\w*)")
OTHER = re.compile(
    r"""(?:Sys\.getenv\s*\(\s*|ENV\[|process\.env\.|process\.env\[)["']?([A-Za-z_]\w*)"""
)
PYTHON_SUFFIXES = (".py", ".pyw", ".ipynb")
SHELL_SUFFIXES = (".sh", ".bash", ".zsh", ".ksh")
OTHER_SUFFIXES = (".r", ".R", ".jl", ".js", ".mjs", ".cjs", ".ts")
SOURCES = PYTHON_SUFFIXES + SHELL_SUFFIXES + OTHER_SUFFIXES
OF_PYTHON = ("PYTHONPATH", "PYTHONHASHSEED")
"""Variables that change what a program computes without being named in it."""
LOCAL = frozenset(
    {
        *("HOME", "PATH", "PWD", "OLDPWD", "USER", "LOGNAME", "SHELL", "SHLVL", "TERM", "TMPDIR"),
        *(
            "TMP",
            "TEMP",
            "HOSTNAME",
            "HOSTTYPE",
            "MACHTYPE",
            "OSTYPE",
            "UID",
            "EUID",
            "PPID",
            "IFS",
        ),
        *("RANDOM", "SECONDS", "LINENO", "OPTARG", "OPTIND", "REPLY", "PIPESTATUS", "BASH", "_"),
        *("BASH_SOURCE", "BASH_VERSION", "FUNCNAME", "DISPLAY", "SSH_AUTH_SOCK", ROOT),
        *(STEP, "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"),
        *(
            "GITHUB_STATE",
            "GITHUB_WORKSPACE",
            "RUNNER_TEMP",
            "RUNNER_TOOL_CACHE",
            "RUNNER_WORKSPACE",
        ),
    }
)
"""Names that say where a command runs, not what it is to do."""
CREDENTIAL = re.compile(
    r"TOKEN(?!S|IZ)|SECRET|PASSW|CREDENTIAL|APIKEY|_PAT$|^KEY$"
    r"|(?:API|ACCESS|ACCOUNT|AUTH|ENCRYPTION|LICENSE|PRIVATE|SERVICE|SIGNING|SSH|STORAGE)_?KEY",
    re.IGNORECASE,
)
"""Values that are not written down anywhere, not even as a hash."""


def variables_in(path: str, text: str) -> set[str]:
    """Names of the variables that a source asks for, by the language of its file's name.

    A file without a suffix is a script; its first line says of which language.
    """
    suffix = path[path.rfind(".") :] if "." in path.rpartition("/")[2] else ""
    if MAKEFILE.search(path):
        return _relevant([*MAKE.findall(text), *named_in_command("", text)])
    first = text.partition("\n")[0]
    if suffix in PYTHON_SUFFIXES or (not suffix and first.startswith("#!") and "python" in first):
        found = PYTHON.findall(text)
    elif suffix in SHELL_SUFFIXES or (not suffix and first.startswith("#!")):
        return named_in_command("", text)
    elif suffix in OTHER_SUFFIXES:
        found = OTHER.findall(text)
    else:
        found = []
    return _relevant(found)


def named_in_command(shell: str, run: str) -> set[str]:
    """Names of the variables that a step's own command asks for, and programs in it (`-c`)."""
    found = [name for pattern in (PYTHON, OTHER, PRINTED) for name in pattern.findall(run)]
    found += [] if shell.startswith("python") else SHELL.findall(run)
    return _relevant(found)


def _relevant(names: Iterable[str]) -> set[str]:
    return {name for name in names if name not in LOCAL and not CREDENTIAL.search(name)}
