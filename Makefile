# A thin wrapper around CMake: `make demo` and `make test` work in a fresh clone with only git and make.
PRESET ?= release
BUILD_PACKAGES = gcc libc6-dev cmake ninja-build pkg-config libzmq3-dev libyaml-dev libcjson-dev \
	libsodium-dev libuv1-dev libpcre2-dev
TEST_PACKAGES = libcmocka-dev bats python3-zmq python3-yaml python3-jsonschema mandoc jq \
	g++ strace valgrind clang libclang-rt-dev
BENCH_PACKAGES = redis-server redis-tools libsqlite3-dev supervisor runit s6 parallel
BIN = build/$(PRESET)/bin

.PHONY: help build demo test bench install clean deps deps-test deps-bench

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

deps: PACKAGES = $(BUILD_PACKAGES)
deps-test: PACKAGES = $(BUILD_PACKAGES) $(TEST_PACKAGES)
deps-bench: PACKAGES = $(BUILD_PACKAGES) $(BENCH_PACKAGES)
deps deps-test deps-bench: ## install what is missing (Debian and Ubuntu: apt)
	@sh .ci/packages $(PACKAGES)

build: deps ## configure and build
	@cmake --preset $(PRESET) >build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }; rm -f build.log
	@cmake --build --preset $(PRESET)

demo: build ## build, then run the demonstration in configs/demo.yaml
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/zproc run -f configs/demo.yaml

test: deps-test ## build (release and sanitizers) and run every test
	@sh .ci/test

bench: deps-bench build ## measure against peers and print ratios
	@cmake --build --preset $(PRESET) --target bench
	@sh tests/bench/run $(BIN)

install: build ## install below PREFIX (default /usr/local)
	cmake --install build/$(PRESET) --prefix $(or $(PREFIX),/usr/local)

clean: ## remove what was built
	rm -rf build
