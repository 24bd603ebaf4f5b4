#!/usr/bin/env bash
# Installs mlpipe for the action, into a virtual environment of its own: the user's is not touched.
# The code is that of the action's own ref; its packages are those of requirements.txt, by hash.
# Prints the path of the program. A complete installation of the same list is used again.
set -euo pipefail
action=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
list="$action/action/requirements.txt"

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
  if command -v "$candidate" > /dev/null &&
    "$candidate" -I -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "::error title=mlpipe::Python 3.11 or newer is needed on PATH. Add actions/setup-python before this step." >&2
  exit 1
fi

digest=$({ "$python" -I -c 'import sys; print(sys.version, sys.executable)'; cat "$list"; } | sha256sum | cut -c 1-16)
venv="${RUNNER_TEMP:-${TMPDIR:-/tmp}}/mlpipe-$digest"
if [ ! -e "$venv/complete" ]; then
  "$python" -I -m venv --clear "$venv"
  "$venv/bin/python" -I -m pip install --quiet --disable-pip-version-check --no-input \
    --require-hashes --no-deps --only-binary :all: --requirement "$list"
  touch "$venv/complete"
fi
site=$("$venv/bin/python" -I -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$action" > "$site/mlpipe.pth"
echo "$venv/bin/python"
