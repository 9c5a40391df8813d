# All that a machine needs is Python 3.11 or later, with venv, and make. Stamp files in .venv say
# what has been done, so that nothing is done twice. Every step is said before it begins, on
# standard error, where pip tells its progress, too: standard output is for what was asked for.

PYTHON ?= python3
BIN := .venv/bin
RUNTIME := .venv/.runtime
DEV := .venv/.dev
SDKS := .venv/.sdks
JAVASCRIPT := .venv/.javascript
PACKAGES := requirements/javascript
DEPLOYED := .venv/.deployed
EVIDENCE := .venv/.evidence
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# As packages state them, each for itself.
LICENCES := Apache 2.0;Apache Software License;Apache-2.0;Apache-2.0 AND BSD-2-Clause;Apache-2.0 AND MIT;Apache-2.0 OR BSD-2-Clause;$\
Apache-2.0 OR BSD-3-Clause;BSD License;BSD-2-Clause;BSD-3-Clause;LGPL-3.0-only;MIT;MIT License;MIT-0;$\
MPL-2.0 AND (Apache-2.0 OR MIT);Mozilla Public License 2.0 (MPL 2.0);PSF-2.0;Python Software Foundation License
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11

# What Python compiles for tests is stored, whatever the machine's settings: many processes import it.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
# More tests run at once than there are cores, as they mostly wait. tests/support/scheduling.py keeps
# modules whole.
AT_ONCE := --ignore=tests/cluster --numprocesses=6 --dist=loadscope --no-loadscope-reorder

RECENT := $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >&2 2>/dev/null

# $(call say,TEXT)
say = @echo "strongroom: $(1)" >&2
packages = $(shell grep -c '^[a-z].*==' $(1)) packages of $(1)

.PHONY: run install free-port test slow prove bench check sbom licences vulnerabilities lock
.NOTPARALLEL:

# The facts that check prints would hide what init prints. Warnings and faults are on standard error.
run: free-port $(RUNTIME)
	@$(BIN)/strongroom check --before-start >/dev/null
	@$(BIN)/strongroom init
	@$(BIN)/strongroom check >/dev/null
	@exec $(BIN)/strongroom serve

# For a server that a service manager starts, as a user who may write nothing here.
install: $(RUNTIME)
	$(call say,compiling Strongroom)
	@$(BIN)/python -m compileall -q app backends config wsgi.py

# Before anything is installed; later, check looks at all addresses, and at everything else.
free-port:
	@$(MAKE) --question --silent $(RUNTIME) >/dev/null || ! $(RECENT) \
	|| test -n "$$STRONGROOM_BIND$$STRONGROOM_BIND_FILE$$PORT_FILE" \
	|| $(PYTHON) -I config/taken_port.py "$${PORT-8080}"

# `test` is for every change, `slow` for what restarts, kills and cuts off servers. .ci/run runs both,
# and the fail-over of a cluster, which waits for leases of 20 seconds. `prove` runs all of it with
# the full number of rounds, in hours.
test: $(DEV)
	$(call say,collecting and running the tests but the slow ones: about five minutes on two cores)
	@$(PYTEST) -m "not slow" $(AT_ONCE)

slow: $(DEV) $(SDKS)
	$(call say,collecting and running the slow tests: about ten minutes on two cores)
	@$(PYTEST) -m slow $(AT_ONCE)

prove: $(DEV) $(SDKS)
	@$(PYTEST) --prove

# Without npm, the tests of these SDKs are skipped.
ifneq ($(shell command -v npm),)
slow prove: $(JAVASCRIPT)
endif

# Ratios, for docs/performance.md; needs wrk and a quiet machine.
bench: $(DEV)
	@$(BIN)/python -m tests.benchmarks.api
	@$(BIN)/python -m tests.benchmarks.postgresql
	@$(BIN)/python -m tests.benchmarks.redemption
	@$(BIN)/python -m tests.benchmarks.masking

check: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.checks.rooms
	$(BIN)/python -m tests.checks.sizes
	$(BIN)/python -m tests.checks.prose

# Facts about what a deployment installs, for docs/compliance.md.
sbom: $(DEPLOYED) $(EVIDENCE)
	@.venv/evidence/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
	--output-file sbom.cdx.json .venv/deployed/bin/python
	$(call say,wrote sbom.cdx.json)

# Another licence fails here, until somebody has read it and put it into this list.
licences: $(DEPLOYED) $(EVIDENCE)
	@.venv/evidence/bin/pip-licenses --python .venv/deployed/bin/python --allow-only "$(LICENCES)"

# Fails too where the package index has no list of vulnerabilities: then nothing is known.
vulnerabilities: $(EVIDENCE)
	@.venv/evidence/bin/pip-audit --strict --disable-pip --require-hashes --requirement requirements/runtime.txt

# Needs uv.
lock:
	$(LOCK) --extra aws --extra postgresql --extra redis --extra vault --extra build pyproject.toml -o requirements/runtime.txt
	$(LOCK) --all-extras pyproject.toml -o requirements/dev.txt -c requirements/runtime.txt
	$(LOCK) requirements/sdks.in -o requirements/sdks.txt
	$(LOCK) requirements/evidence.in -o requirements/evidence.txt
	$(LOCK) requirements/mitmproxy.in -o requirements/mitmproxy.txt

$(RUNTIME): requirements/runtime.txt pyproject.toml
	$(call say,looking for Python 3.11 or later: $(PYTHON))
	@$(RECENT) || { echo "strongroom: Python 3.11 or later is needed, and $(PYTHON) is" \
	"$$($(PYTHON) --version 2>/dev/null || echo missing). Install it, then name it:" \
	"make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	$(call say,making the virtual environment .venv: once)
	@$(PYTHON) -m venv .venv >&2
	$(call say,installing the $(call packages,requirements/runtime.txt) into .venv: once)
	@$(PIP) --require-hashes -r requirements/runtime.txt >&2
	$(call say,installing Strongroom itself into .venv: once)
	@$(PIP) --no-deps --no-build-isolation -e . >&2
	@touch $@

$(DEV): $(RUNTIME) requirements/dev.txt
	$(call say,installing the $(call packages,requirements/dev.txt) into .venv: once)
	@$(PIP) --require-hashes -r requirements/dev.txt >&2
	@touch $@

# Vendors' SDKs, which tests send through the gateway, share nothing with what we depend on.
$(SDKS): $(DEV) requirements/sdks.txt
	$(call say,making the virtual environment .venv/sdks: once)
	@$(PYTHON) -m venv .venv/sdks >&2
	$(call say,installing the $(call packages,requirements/sdks.txt) into .venv/sdks: once)
	@.venv/sdks/bin/python -m pip install --disable-pip-version-check --retries 10 --require-hashes -r requirements/sdks.txt >&2
	@touch $@

# What `make install` installs, without the packages for tests.
$(DEPLOYED): $(RUNTIME)
	$(call say,making the virtual environment .venv/deployed: once)
	@$(PYTHON) -m venv --clear .venv/deployed >&2
	$(call say,installing the $(call packages,requirements/runtime.txt) into .venv/deployed: once)
	@.venv/deployed/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements/runtime.txt >&2
	@touch $@

$(EVIDENCE): $(RUNTIME) requirements/evidence.txt
	$(call say,making the virtual environment .venv/evidence: once)
	@$(PYTHON) -m venv .venv/evidence >&2
	$(call say,installing the $(call packages,requirements/evidence.txt) into .venv/evidence: once)
	@.venv/evidence/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements/evidence.txt >&2
	@touch $@

$(JAVASCRIPT): $(PACKAGES)/package-lock.json | $(SDKS)
	$(call say,installing the JavaScript SDKs into .venv/sdks: once)
	@cp $(PACKAGES)/package.json $(PACKAGES)/package-lock.json .venv/sdks
	@npm ci --prefix .venv/sdks --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@touch $@
