"""Which environment variables may count, by their names: tables, each line with its reason. Pure.

A name that is in no table counts where it stands in the step's command, or in a text that it read.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from mlpipe_ci.core.regex import regex
from mlpipe_ci.core.step_environment import fits

EVERY, PYTHON, NUMERIC = "every", "python", "numeric"
"""Kinds of programs: any; Python; those that compute: an interpreter, or the user's own."""
BY_THEMSELVES = (
    (EVERY, "the time zone of all dates", ("TZ", "TZDIR")),
    (EVERY, "sorting, messages, numbers, encodings", ("LANG", "LANGUAGE", "LC_*")),
    (EVERY, "dates in archives and documents", ("SOURCE_DATE_EPOCH",)),
    (EVERY, "what a shell reads first", ("BASH_ENV",)),
    (EVERY, "options of GNU tools", ("POSIXLY_CORRECT", "GREP_OPTIONS", "GZIP", "MAKEFLAGS")),
    (PYTHON, "the interpreter: modules, optimisation, the order of sets", ("PYTHON*",)),
    (PYTHON, "backend and settings of Matplotlib", ("MPL*",)),
    (PYTHON, "processes and threads of joblib", ("JOBLIB_*", "LOKY_*")),
    (PYTHON, "scikit-learn, pandas and polars", ("SKLEARN_*", "PANDAS_*", "POLARS_*", "NUMEXPR_*")),
    (PYTHON, "models, tokenizers and being offline", ("HF_*", "TRANSFORMERS_*", "TOKENIZERS_*")),
    (PYTHON, "deep learning", ("TORCH_*", "PYTORCH_*", "XLA_*", "JAX_*", "KERAS_*")),
    (PYTHON, "TensorFlow, not Terraform", ("TF_DETERMINISTIC_OPS", "TF_CUDNN_*", "TF_XLA_FLAGS")),
    (
        PYTHON,
        "how TensorFlow computes",
        ("TF_ENABLE_*", "TF_FORCE_*", "TF_NUM_*", "TF_GPU_*", "TF_USE_*"),
    ),
    (PYTHON, "compilers of Python code", ("NUMBA_*", "NPY_*")),
    (NUMERIC, "threads, and so the order of sums", ("OMP_*", "GOMP_*", "KMP_*", "OPENBLAS_*")),
    (NUMERIC, "threads of other libraries", ("MKL_*", "BLIS_*", "VECLIB_*", "GOTO_*", "RAYON_*")),
    (NUMERIC, "which GPUs, and how exactly they compute", ("CUDA_VISIBLE_DEVICES", "CUBLAS_*")),
    (
        NUMERIC,
        "other libraries of GPUs",
        ("CUDNN_*", "NVIDIA_TF32_OVERRIDE", "ROCR_*", "HIP_VISIBLE_DEVICES"),
    ),
    (
        NUMERIC,
        "modules and options",
        ("NODE_PATH", "PERL5LIB", "PERL5OPT", "PERL_*", "RUBYOPT"),
    ),
    (NUMERIC, "other interpreters", ("R_*", "JULIA_*", "NODE_OPTIONS", "NODE_ENV")),
)
"""What programs and packages read without a word in the sources of a step."""
WHERE = (
    ("who runs it", ("HOME", "USER", "USERNAME", "LOGNAME", "SUDO_*", "MAIL")),
    ("where programs and libraries lie", ("PATH", "MANPATH", "INFOPATH", "LD_LIBRARY_PATH")),
    ("where libraries and headers lie", ("DYLD_*", "PKG_CONFIG_PATH", "CPATH", "LIBRARY_PATH")),
    ("directories", ("XDG_*", "TMPDIR", "TMP", "PWD", "OLDPWD")),
    ("what a shell keeps for itself", ("SHELL", "SHLVL", "_", "IFS", "PS[1-4]", "BASH")),
    ("what a shell says of itself", ("BASH_VERS*", "BASH_EXECUTION_STRING", "BASHOPTS", "BASHPID")),
    ("the history of a shell", ("HISTFILE", "HISTSIZE", "HISTFILESIZE", "HISTCONTROL", "ZSH")),
    ("the terminal", ("TERM", "TERM_PROGRAM*", "TERMINFO*", "COLORTERM", "COLUMNS", "LINES")),
    (
        "windows and terminals",
        ("VTE_*", "TMUX", "TMUX_PANE", "STY", "WINDOWID", "KITTY_*", "ITERM_*"),
    ),
    ("colours of what is printed", ("LS_COLORS", "LSCOLORS", "NO_COLOR", "FORCE_COLOR")),
    ("whether programs use colours", ("CLICOLOR", "CLICOLOR_FORCE", "PY_COLORS")),
    ("the desktop", ("DISPLAY", "WAYLAND_*", "DBUS_*", "DESKTOP_SESSION", "GNOME_*", "GTK_*")),
    ("other desktops", ("KDE_*", "QT_*", "SESSION_MANAGER", "XAUTHORITY", "GDMSESSION", "WSL*")),
    ("editors that have a terminal", ("WT_SESSION", "WT_PROFILE_ID", "VSCODE_*")),
    ("how one came here", ("SSH_AUTH_SOCK", "SSH_AGENT_PID", "SSH_CLIENT", "SSH_CONNECTION")),
    (
        "terminals of keys, the machine",
        ("SSH_TTY", "GPG_TTY", "HOSTNAME", "HOSTTYPE", "MACHTYPE", "OSTYPE"),
    ),
    ("programs for a person", ("EDITOR", "VISUAL", "PAGER", "MANPAGER", "LESS", "LESSOPEN")),
    ("what shows files and pages", ("LESSCLOSE", "BROWSER")),
    ("the service that started it", ("INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_*")),
    ("a CI system", ("CI", "GITHUB_*", "RUNNER_*", "ACTIONS_*", "GITLAB_*", "JENKINS_*")),
    ("jobs of GitLab", ("CI_COMMIT_*", "CI_JOB_*", "CI_PIPELINE_*", "CI_PROJECT_*", "CI_SERVER_*")),
    ("jobs of others", ("BUILD_ID", "BUILD_NUMBER", "BUILD_TAG", "BUILD_URL")),
    ("images of GitHub's runners", ("ImageOS", "ImageVersion", "AGENT_TOOLSDIRECTORY")),
    ("an environment of Python", ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "CONDA", "CONDA_*")),
    (
        "managers of such environments",
        ("_CONDA_*", "_CE_*", "PYENV_*", "UV_*", "PIP_*", "PIPENV_*", "POETRY_*"),
    ),
    ("Python as GitHub's action sets it up", ("pythonLocation", "Python*_ROOT_DIR")),
    ("other version managers", ("NVM_*", "RBENV_*", "SDKMAN_*", "ASDF_*", "MISE_*", "__MISE_*")),
    ("the way to the network", ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")),
    (
        "the same, and servers that are trusted",
        ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "SSL_CERT_*"),
    ),
    ("certificates", ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")),
    ("certificates of tools", ("NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "NIX_SSL_CERT_FILE")),
    ("what Python prints and keeps", ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")),
    (
        "where Python keeps byte code, what it tells",
        ("PYTHONPYCACHEPREFIX", "PYTHONFAULTHANDLER", "PYTHONHOME"),
    ),
    ("where packages keep what they load", ("HF_HOME", "HF_HUB_CACHE", "HF_DATASETS_CACHE")),
    (
        "other caches of models",
        ("HF_ASSETS_CACHE", "HF_XET_CACHE", "HF_TOKEN_PATH", "TRANSFORMERS_CACHE"),
    ),
    (
        "caches of Torch, Keras, Matplotlib",
        ("TORCH_HOME", "KERAS_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"),
    ),
    (
        "libraries of R and Julia, caches",
        ("JOBLIB_TEMP_FOLDER", "R_HOME", "R_LIBS*", "JULIA_DEPOT_PATH", "JAX_*_DIR"),
    ),
    ("mlpipe itself", ("MLPIPE_*",)),
)
"""Names that say where a command runs, not what it is to do. They count where the step's own text,
its command or its `env`, has them in just this spelling."""
CREDENTIAL = regex(
    r"(?:(?:^|_)(?:TOKEN|SECRET|KEY|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|PAT|PWD|APIKEY)"
    r"|_KEY_ID|^PGPASSWORD)$",
    re.IGNORECASE,
)
"""Values that are not written down anywhere, not even as a hash: by the exact end of a name."""
NO_CREDENTIAL = ("PWD", "OLDPWD")
WORD = regex(r"[A-Za-z_]\w*")
INTERPRETERS = regex(r"(?:python|pypy|ipython|R$|Rscript|julia|octave|node|perl|ruby)")
SYSTEM = ("/usr/bin/", "/bin/", "/usr/sbin/", "/sbin/", "/usr/lib/", "/lib/")


@lru_cache(4096)
def is_credential(name: str) -> bool:
    """True for a variable of which nothing is written down."""
    return name not in NO_CREDENTIAL and CREDENTIAL.search(name) is not None


@lru_cache(4096)
def is_where(name: str) -> bool:
    """True for a variable that says where a command runs."""
    return any(fits(name, patterns) for _, patterns in WHERE)


@lru_cache(4096)
def reader_of(name: str) -> str:
    """Which kind of program reads a variable by itself; empty for none."""
    if is_where(name) or is_credential(name):
        return ""
    return next((kind for kind, _, patterns in BY_THEMSELVES if fits(name, patterns)), "")


def may_count(name: str) -> bool:
    """True for a variable that counts wherever its name stands."""
    return not is_where(name) and not is_credential(name)


def where_named(texts: Iterable[str]) -> set[str]:
    """Names of `WHERE` that a step's own text has."""
    words = {word for text in texts for word in WORD.findall(text)}
    return {word for word in words if is_where(word) and not is_credential(word)}


def kinds(programs: Iterable[str], *, python: bool) -> frozenset[str]:
    """Which kinds of programs ran. `programs`: their files; `python`: parts of it were loaded."""
    found = {EVERY}
    for path in programs:
        name = path.rpartition("/")[2]
        python = python or name.startswith(("python", "pypy"))
        if INTERPRETERS.match(name) or not path.startswith(SYSTEM):
            found.add(NUMERIC)
    return frozenset(found | ({PYTHON, NUMERIC} if python else set()))
