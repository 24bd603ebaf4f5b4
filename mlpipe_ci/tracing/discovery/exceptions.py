"""What counts for nothing although a step sees it: each exception in one place, with its reason.

Pure. Paths that begin with `~/` are below the home of the user; `*` is a part of a name.
"""

from mlpipe_ci.core.paths import above, is_under
from mlpipe_ci.core.regex import regex

TOOL_CACHES = {
    "~/.cache/matplotlib": "a list of fonts, made anew where it is missing",
    "~/.cache/fontconfig": "the same",
    "~/.fontconfig": "the same",
    "/var/cache/fontconfig": "the same",
    "~/.cache/pip": "what pip has downloaded: the packages count by their files",
    "~/.cache/uv": "the same of uv",
    "/tmp/uv-*": "its locks",  # noqa: S108
    "~/.local/share/uv": "tools and interpreters of uv: an interpreter counts by its version",
    "~/.pyenv/bin": "the program pyenv: the interpreter that it chooses counts",
    "~/.pyenv/libexec": "the same",
    "~/.pyenv/plugins": "the same",
    "~/.pyenv/pyenv.d": "the same",
    "~/.pyenv/shims": "the same",
    "~/.triton": "compiled kernels, named by a hash of their source",
    "~/.cache/triton": "the same",
    "~/.nv": "kernels that the driver has compiled",
    "~/.cache/nvidia": "the same",
    "~/.cache/numba": "compiled functions, checked against their source",
    "~/.numba": "the same",
    "/tmp/torchinductor_*": "compiled kernels, named by a hash of source",  # noqa: S108
    "/var/tmp/dvc": "DVC's index of a repository",  # noqa: S108
    "~/.cache/torch_extensions": "the same",
    "~/.ipython": "history and profile of a shell",
    "~/.local/share/jupyter/runtime": "connections of running kernels",
    "~/.jupyter/lab": "what a window looked like",
    "~/.jupyter/migrated": "that Jupyter has looked for files of IPython 3",
    "~/.cache/huggingface/datasets": "tables made of files that count by themselves, and locks",
    "~/.cache/pre-commit": "environments, named by a hash",
    "~/.cache/mlpipe": "this program's own",
    "/.dockerenv": "that it is a container says where a step runs, not what it does",
    "~/.npm": "what npm has downloaded",
    "~/.config/mlflow": "the number of an installation, for statistics of use",
    "~/.gitconfig": "it asked git, which does not count",
    "~/.config/git": "the same",
}
"""Caches of tools. What is not here counts: models and data in `~/.cache`, for one."""
CREDENTIALS = {
    "~/.aws": "keys of Amazon",
    "~/.azure": "tokens of Azure",
    "~/.config/gcloud": "databases of tokens of Google",
    "~/.boto": "keys",
    "~/.netrc": "passwords",
    "~/.ssh": "keys",
    "~/.gnupg": "keys",
    "~/.git-credentials": "passwords",
    "~/.docker": "tokens of registries",
    "~/.kube": "tokens of clusters",
    "~/.kaggle": "a token",
    "~/.pypirc": "passwords",
    "~/.pgpass": "passwords",
    "~/.my.cnf": "passwords",
    "~/.databrickscfg": "a token",
    "~/.huggingface": "a token",
    "~/.cache/huggingface/token": "a token",
    "~/.cache/huggingface/stored_tokens": "tokens",
    "~/.config/gh": "a token of GitHub",
}
"""Never read by mlpipe, not even to take a digest."""
NUMBERED = regex(
    r".*/pytest-of-[^/]+(?:/pytest-current|/pytest-\d+(?:/\.lock)?|/garbage-[-0-9a-f]+(?:/.*)?)?"
)
"""Where pytest numbers its temporary directories, and removes old ones."""
BYTE_CODE = regex(
    r"(?:(?P<directory>.*)/)?__pycache__/(?P<name>[^/]+)\.[^./]+-[^./]+(\.opt-\d)?\.pyc(\.\d+)?"
)
GIT = "git's own, which does not count: to name the commit, put it into env"
ENVIRONMENT = "an environment: its packages count by the files that were opened"
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")
"""In a directory that is an environment of Python: what is in it counts as packages do."""


def source_of(path: str) -> str:
    """The Python source that a byte-code file was made from; empty for all else."""
    found = BYTE_CODE.fullmatch(path)
    if not found:
        return ""
    directory = found["directory"]
    return f"{directory}/{found['name']}.py" if directory else f"{found['name']}.py"


def is_exempt(path: str) -> bool:
    """True for what never counts in a repository: git's own directory, and byte code."""
    if ".git" not in path and "__pycache__" not in path:
        return False  # as nearly all
    parts = path.split("/")
    return ".git" in parts or "__pycache__" in parts


def exception_for(path: str, home: str) -> tuple[str, str]:
    """The line of a table that takes a path outside of the repository out, and its reason; both
    empty if it counts. `home`: the directory of the user, empty if it is not known.
    """
    if NUMBERED.fullmatch(path):
        return path, "pytest numbers its temporary directories here"
    for table in (TOOL_CACHES, CREDENTIALS):
        for pattern, reason in table.items():
            where = pattern if pattern[0] == "/" else home + pattern[1:] if home else ""
            begins = where.endswith("*") and path.startswith(where[:-1])
            if begins or (where and is_under(path, where)):
                return pattern, reason
    return "", ""


def ways(home: str) -> set[str]:
    """The directories in a home in which tools keep things: programs make them where they are
    missing, so that they are there says nothing.
    """
    named = [*TOOL_CACHES, *CREDENTIALS] if home else []
    return {home + way[1:] for one in named for way in above(one) if way.startswith("~/")}


def why_outside(path: str, home: str) -> str:
    """Why a path outside of the repository counts for nothing; empty if it counts."""
    return exception_for(path, home)[1]


def is_credential(path: str, home: str) -> bool:
    """True for a file that may hold a credential."""
    return bool(home) and any(is_under(path, home + one[1:]) for one in CREDENTIALS)
