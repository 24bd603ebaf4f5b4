"""What a user asked for on the command line."""

from mlpipe_ci.ci.checkout import CheckoutOptions
from mlpipe_ci.core.frozen import frozen
from mlpipe_ci.run.executors import DEFAULT_EXECUTOR

NOTHING = CheckoutOptions()
HERE = "."


@frozen
class Options:
    """All options of all commands, as they are where nothing was said."""

    directory: str = HERE
    file: str | None = None
    base: str | None = None
    fetch: bool = False
    json: bool = False
    quiet: bool = False
    settings: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    format: str = "text"
    action: str = ""
    max_size: str | None = None
    max_age: float | None = None
    outputs: str = "auto"
    push: bool = False
    remote: bool = True
    there: bool = False
    dry_run: bool = False
    checkout: CheckoutOptions = NOTHING
    force: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    only: bool = False
    downstream: bool = False
    allow_untrusted: bool = False
    comment: str = "always"
    status: str = "auto"
    report: str = ""
    html: str = ""
    open: bool = False
    post: bool = False
    write: bool = False
    jobs: str = "1"
    executor: str = DEFAULT_EXECUTOR
    keep_going: bool = False
    wait: bool = True
    progress: str = "auto"
    run: int | None = None
    follow: bool = False
    every: float = 60.0
