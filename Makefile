# The front door. What is built, and from what, stands in meson.build; what is installed, in
# tools/setup. Each target sees to its own set-up first and skips it when it is done.
.PHONY: all setup demo test python tidy check check-full fuzz soak bench clean help
.DEFAULT_GOAL := all

FUZZ_SECONDS ?= 60
export FUZZ_SECONDS

all: setup
	@tools/build build --buildtype=release

setup:
	@tools/setup core

demo: all
	@demo/run

# ONNX Runtime is no part of the program: without it its own tests alone are skipped.
test: all
	@tools/setup tests
	@tools/setup onnxruntime || echo 'test: ONNX Runtime is left out'
	@tools/build build-test --buildtype=debugoptimized -Dtests=true -Dfaults=true
	@tools/run-tests build-test --e2e build

python: all
	@tools/python-package build

tidy:
	@tools/setup core
	@python3 tools/tidy.py

check:
	@tools/setup core tests check
	@tools/check

check-full:
	@tools/setup core check
	@AX_LONG=1 tools/check --full

fuzz:
	@tools/setup core check
	@tools/fuzz $(TARGETS)

soak: all
	@tools/setup tests bench
	@bench/soak

bench: all
	@tools/setup tests bench
	@tools/build build-bench --buildtype=release -Dbench=true
	@bench/run

clean:
	rm -rf build build-*

help:
	@echo 'make            build: the programs are build/axiom and build/axiom-verify'
	@echo 'make demo       build, then the whole path from data to audited decisions, on real data'
	@echo 'make test       build, then every test: unit, contract, stored fuzz inputs, end to end'
	@echo 'make python     the wheel of the Python package axiom-engine, in build/python'
	@echo 'make tidy       hold the sources against the house rules (docs/style.md), in seconds'
	@echo 'make check      the tests under sanitizers, linters on what changed, tidy with symbols'
	@echo 'make check-full the same with everything linted and the long sweeps; hours'
	@echo 'make fuzz       libFuzzer, FUZZ_SECONDS=60 a target; TARGETS="json csv" picks some'
	@echo 'make soak       load with churn and faults'
	@echo 'make bench      the figures that the docs tell, each with its command, beside its peers'
	@echo 'make setup      install what building needs (the targets above do it by themselves)'
	@echo 'make clean      remove what was built'
