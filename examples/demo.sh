#!/usr/bin/env bash
# The example, three times: from nothing, again with nothing changed, and with a new week of data.
# Works in build/demo, on a copy in a git repository of its own. Needs mlpipe and the example's
# packages on PATH (`make demo` sees to that).
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo="$root/build/demo"
rm -rf "$demo"
mkdir -p "$demo"
cp -R "$root/examples/fraud-detection" "$demo/fraud-detection"
cd "$demo/fraud-detection"
export MLPIPE_CACHE_DIR="$demo/cache" GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@example.invalid
export GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@example.invalid
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GITHUB_ACTIONS

say() { printf '\n\033[1m== %s\033[0m\n' "$1"; }
commit() { git add -A && git commit -q -m "$1"; }
git init -q -b main
commit "Eight weeks of transactions"

say "1. The first run: every step runs"
mlpipe run

say "2. Again: nothing changed, so nothing runs"
mlpipe run

say "3. Monday: week 9 arrives"
python simulate.py --weeks 9 > /dev/null
commit "Week 9"
mlpipe plan --base HEAD~1
echo
mlpipe run --base HEAD~1 --html "$demo/report.html"

say "The model, before and after week 9"
mlpipe metrics HEAD~1
echo
echo "The report of that run, with what it did to the model: build/demo/report.html"
echo "The model and its card are in build/demo/fraud-detection/deploy; look around there:"
echo "  cd build/demo/fraud-detection && MLPIPE_CACHE_DIR=$demo/cache PATH=$root/.venv/bin:\$PATH mlpipe plan"
