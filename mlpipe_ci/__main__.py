"""`python -m mlpipe_ci`."""

import sys

from mlpipe_ci.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
