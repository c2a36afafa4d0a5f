# The clients in Go, TypeScript and Java. Each needs the toolchain of its language. A language whose toolchain is missing is
# skipped with a message; with CI set that is an error.
TOOL_go := go
TOOL_typescript := npm
TOOL_java := mvn
LANGUAGES := $(foreach language,go typescript java,$(if $(shell command -v $(TOOL_$(language))),$(language)))
LEFT_OUT := $(filter-out $(LANGUAGES),go typescript java)
MAVEN := mvn --quiet --batch-mode --no-transfer-progress --file clients/java/pom.xml
# The name of this platform in Maven's artifacts.
PLATFORM := $(shell uname -sm | sed 's/Linux/linux/;s/Darwin/osx/;s/arm64/aarch_64/;s/aarch64/aarch_64/;s/ /-/')
GENERATED := clients/python/src/semantic_memory/v1 clients/python/src/semantic_memory/service_config.json \
  clients/go/semantic_memory clients/go/service_config.json \
  clients/typescript/src/generated clients/typescript/service_config.json \
  clients/java/src/generated clients/java/src/main/resources/dev/semanticmemory/service_config.json \
  memory_service/rpc/contract.binpb docs/reference.md

.PHONY: left-out conformance $(foreach task,generate test runner,$(task)-go $(task)-typescript $(task)-java)

left-out:
	@$(foreach language,$(LEFT_OUT),echo "LEFT OUT: the $(language) client needs $(TOOL_$(language))";) true
	@test -z "$(LEFT_OUT)" -o -z "$$CI"

BUF_GENERATE = PATH="$(CURDIR)/.venv-generate/bin:$$PATH" buf generate --template

generate-go: .venv-generate/installed .tools/bin/protoc-gen-go .tools/bin/protoc-gen-go-grpc
	rm -rf clients/go/semantic_memory
	$(BUF_GENERATE) clients/go/buf.gen.yaml
	cp clients/service_config.json clients/go/

generate-typescript: .venv-generate/installed clients/typescript/node_modules/.package-lock.json
	rm -rf clients/typescript/src/generated
	$(BUF_GENERATE) clients/typescript/buf.gen.yaml
	cp clients/service_config.json clients/typescript/

generate-java: .venv-generate/installed .tools/bin/protoc-gen-grpc-java
	rm -rf clients/java/src/generated
	mkdir -p clients/java/src/generated/java
	$(BUF_GENERATE) clients/java/buf.gen.yaml
	cp clients/service_config.json clients/java/src/main/resources/dev/semanticmemory/

test-go:
	cd clients/go && test -z "$$(gofmt -l .)" && go vet ./... && go test ./...

test-typescript: clients/typescript/node_modules/.package-lock.json
	cd clients/typescript && npm test

test-java:
	$(MAVEN) package

# Every case by every client whose toolchain is installed: see clients/conformance.
conformance: .venv/installed $(LANGUAGES:%=runner-%) left-out
	GRPC_VERBOSITY=NONE $(BIN)/python -m clients.conformance

runner-go:
	cd clients/go && go build ./...

runner-typescript: clients/typescript/node_modules/.package-lock.json
	cd clients/typescript && npm run --silent build

runner-java:
	$(MAVEN) test-compile dependency:copy-dependencies

.tools/bin/protoc-gen-go: clients/clients.mk
	GOBIN="$(CURDIR)/.tools/bin" go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12

.tools/bin/protoc-gen-go-grpc: clients/clients.mk
	GOBIN="$(CURDIR)/.tools/bin" go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2

.tools/bin/protoc-gen-grpc-java: clients/java/pom.xml
	$(MAVEN) dependency:copy@generators -Dprotoc.platform=$(PLATFORM) -DoutputDirectory="$(CURDIR)/.tools/bin"
	chmod +x .tools/bin/* && touch $@

clients/typescript/node_modules/.package-lock.json: clients/typescript/package-lock.json
	cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund
	touch $@
