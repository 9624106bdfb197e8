# A thin front of meson: what a person types. `make` builds ./build/rehearse.

BUILD ?= build
PYTHON := /usr/bin/python3

.PHONY: all build demo check check-all bench format clean

all: build

build:
	@tools/bootstrap build
	@tools/build $(BUILD)

# The product on a built-in shop database: nothing to configure.
demo:
	@tools/bootstrap demo
	@tools/build $(BUILD)
	@./$(BUILD)/rehearse demo

# Everything a change must pass; the last line says how much passed.
check:
	@tools/bootstrap check
	@tools/check

# The nightly run: also under sanitizers, the slow tests, and a longer fuzz.
check-all:
	@tools/bootstrap check-all
	@tools/check --sanitize --nightly --fuzz-seconds 120

bench:
	@tools/bootstrap bench
	@tools/build $(BUILD)
	@tests/bench/run

format:
	@git ls-files -z --cached --others --exclude-standard '*.c' '*.h' | xargs -0 -r clang-format -i

clean:
	rm -rf build build-check build-asan build-fuzz
