# One command each. `make demo` and `make test` set up whatever is missing.
PYTHON := .venv/bin/python
SCONS := .venv/bin/scons -Q -j2
TARGETS := host aarch64 armv7hf cortex-m3 cortex-m4 cortex-m7 cortex-m33 cortex-m55

.PHONY: help setup build demo test test-quick check fuzz valgrind bench bench-peers bench-docs bench-kernels bench-arm boards lint gen gen-check size clean

help:            ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 18

setup:           ## system packages (as root or with sudo) and .venv
	@scripts/setup.sh system
	@scripts/setup.sh python

build: setup     ## the runtime for every target, and the Python package in place
	@for t in $(TARGETS); do $(SCONS) target=$$t || exit 1; done
	@$(PYTHON) setup.py -q build_ext --inplace
	@$(PYTHON) -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .

demo: build      ## digits CNN: train, quantize, export, run everywhere; prints one table
	@$(PYTHON) examples/digits.py

test: build check fuzz   ## everything: kernels, damaged files, parity on every target
	@$(PYTHON) -m pytest -n 2 tests

test-quick: build   ## the Python tests that take seconds
	@$(PYTHON) -m pytest -n 2 -m "not slow" tests

check: build     ## every SIMD kernel against scalar, on this host and on both ARM targets
	@for t in $(TARGETS); do $(SCONS) target=$$t run_check || exit 1; done

fuzz: build      ## damaged files under ASan and UBSan: every truncation, 20,000 random changes
	@$(SCONS) target=host sanitize=address,undefined
	@$(PYTHON) scripts/fuzz.py

# valgrind turns a 64-bit integer into a double before it makes it a float, and so rounds twice: one check cannot pass.
valgrind: build  ## every AVX2 kernel and a whole file under valgrind
	@valgrind -q --error-exitcode=9 build/host/check --require=avx2 --except="arithmetic int64"
	@valgrind -q --error-exitcode=9 build/host/qrt_run tests/golden/digits_v1.qsdk --verify

bench: build     ## time of every network of the zoo, interleaved with each installed peer; FLAGS="--json x.json --plot x.html"
	@$(PYTHON) benchmarks/bench.py $(FLAGS)

bench-peers: build   ## the peers in virtual environments of their own, and the zoo converted for them
	@$(PYTHON) benchmarks/engines.py

bench-docs: build    ## the same into docs/benchmarks.md
	@$(PYTHON) benchmarks/bench.py --write $(FLAGS)

bench-kernels: build ## rate of every kernel
	@build/host/check --bench

bench-arm: build ## instructions per inference on ARM, counted under QEMU; writes docs/arm.md
	@$(PYTHON) benchmarks/arm.py

boards: build    ## every network of examples/ and the zoo on every CPU and machine under QEMU; writes its table in docs/boards.md
	@$(PYTHON) scripts/boards.py --write

size: build      ## object sizes, symbols the core needs, arena ratios, budgets; writes these in docs/boards.md
	@$(PYTHON) scripts/size.py --write

gen: setup       ## C and Python tables from schema/qsdk.fbs
	@$(PYTHON) schema/generate.py

gen-check: setup
	@$(PYTHON) schema/generate.py --check

lint: setup gen-check   ## ruff, mypy, clang-format, generated code, imports
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet . || (.venv/bin/ruff format --check .; exit 1)
	@.venv/bin/mypy
	@.venv/bin/clang-format --dry-run -Werror $$(git ls-files '*.c' '*.h')
	@$(PYTHON) scripts/arrows.py

clean:           ## everything that was built; not the peers
	find build -mindepth 1 -maxdepth 1 ! -name peers -exec rm -rf {} +
	rm -rf qsdk/runtime/_qrt* qsdk/runtime/bin *.egg-info .sconsign.dblite
