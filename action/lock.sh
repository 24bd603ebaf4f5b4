#!/usr/bin/env bash
# Writes the locked lists of packages anew: what the action installs, what draws plots, what tests need,
# and the tools of the zoo.
#   action/lock.sh UV
set -euo pipefail
uv=$1
cd "$(dirname "$0")/.."
options=(--quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
  --no-emit-index-url --no-emit-find-links --upgrade)
"$uv" pip compile "${options[@]}" pyproject.toml --extra remote --output-file action/requirements.txt
echo 'vl-convert-python>=1.7' | "$uv" pip compile "${options[@]}" - --output-file action/plots.txt
"$uv" pip compile "${options[@]}" pyproject.toml --group build --group test --group check \
  --constraint action/requirements.txt examples/fraud-detection/requirements.txt \
  --output-file tests/requirements.txt
for tools in tests/zoo/requirements/*.in; do
  "$uv" pip compile "${options[@]}" "$tools" --output-file "${tools%.in}.txt"
done
