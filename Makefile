# Two commands matter: `make demo` and `make test`. Both set up what they need in .venv.
.DEFAULT_GOAL := help
.PHONY: help setup demo test warm lint bench fuzz fuzz-host fuzz-import hammer cost study study-more study-cohort soak hil mutate docs clean need-tools

PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/.ready
DEV := .venv/.dev
SOURCES := pyproject.toml setup.py native/build_native.py $(wildcard native/src/*.[ch] native/include/*.h)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

# One line for what a fresh machine may lack, instead of a page of build output.
need-tools:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found; install it: apt install python3 python3-venv python3-dev"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old, 3.11 is needed"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: Python has no venv; install it: apt install python3-venv"; exit 2; }
	@command -v $${CC:-gcc} >/dev/null || { echo "error: no C compiler; install it: apt install gcc libc6-dev"; exit 2; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' || { echo "error: Python.h not found; install it: apt install python3-dev"; exit 2; }
	@echo '#include <stdio.h>' | $${CC:-gcc} -E - >/dev/null 2>&1 || { echo "error: the C compiler finds no stdio.h; install it: apt install libc6-dev"; exit 2; }

$(SETUP): $(SOURCES)
	@$(MAKE) --no-print-directory need-tools
	@echo "installing into .venv: once, some two minutes without a word"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e .
	touch $@

# What tests, studies and fuzzers need beyond the instrument itself.
$(DEV): $(SETUP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[dev]'
	touch $@

typings/.ready: $(DEV)
	rm -rf typings
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --target typings micropython-esp32-stubs==1.29.0.post1
	touch $@

# The 32-bit MicroPython shows allocations that the 64-bit one cannot; axe-core looks for pages that some cannot read.
# Without npm their tests skip and say so.
node_modules/.ready:
	@if command -v npm >/dev/null; then npm install --silent --no-save --no-audit --no-fund @micropython/micropython-webassembly-pyscript@1.27.0 axe-core@4.14.1 || echo "npm cannot install the 32-bit MicroPython and axe-core; their tests will skip"; \
	else echo "npm not found: the tests on the 32-bit MicroPython and with axe-core will skip"; fi
	@mkdir -p node_modules && touch $@

setup: $(SETUP)  ## install into .venv

demo: $(SETUP)  ## run the whole instrument on a simulated patient
	$(BIN)/hbc demo

# Four at a time on two cores: a third of the tests waits for real time. A file stays in one process, for its recordings
# are shared; the longest files begin (tests/conftest.py), which xdist would leave for the end.
test: $(DEV) node_modules/.ready  ## lint, then all tests
	@$(MAKE) --no-print-directory -j 2 lint warm
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

# All modules are compiled once, beside lint, and not by each of the four: in a new environment that is half a minute each.
warm: $(DEV)
	@$(BIN)/python -m pytest --collect-only -qq >/dev/null 2>&1 || true

lint: $(DEV) typings/.ready  ## ruff, mypy (host and device), import-linter, known vulnerabilities
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p hbc_host -p hbc_hil -p hbc_native -p hbc_wire
	$(BIN)/mypy --config-file firmware/mypy.ini -p hbc_fw -p hbc_boards -p hbc_hil.generator
	$(BIN)/lint-imports
	$(BIN)/python -m tests.audit

# The other detectors bring many packages, some of them old: they live apart.
.venv-peers/.ready: $(SOURCES)
	@$(MAKE) --no-print-directory need-tools
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[dev,peers]'
	touch $@

bench: .venv-peers/.ready  ## benchmarks beside other detectors; writes docs/detector-peers.md
	@mkdir -p build
	.venv-peers/bin/python -m pytest tests/benchmarks --benchmark-only --benchmark-json=build/bench.json
	.venv-peers/bin/python tests/benchmarks/bench_table.py build/bench.json

fuzz: $(DEV)  ## fuzz the detector for FUZZ_S seconds (600)
	$(BIN)/python native/fuzz/run.py fuzz --seconds $(or $(FUZZ_S),600)

hammer: $(DEV)  ## HAMMER_N (1e9) random and adversarial samples through the sanitizer build
	$(BIN)/python native/fuzz/run.py hammer --samples $(or $(HAMMER_N),1e9)

cost: $(DEV)  ## cycles, code and stack of the detector on the ESP32, counted
	$(BIN)/python tests/study/device_cost.py

study: $(DEV)  ## coupling and thresholds: false positives, power beside other methods, intervals; writes docs/validation.md; an hour, needs MIT-BIH records
	$(BIN)/python tests/study/coupling_study.py

POWER_SEEDS := --seeds 300 777 6000 6001 --null-seeds 900 901 902 903 904 905 906 907
study-more: $(DEV)  ## looks at a run while it goes on, several sites, what limits power; prints most of what docs/ have; a quarter of an hour
	$(BIN)/python tests/study/looks_study.py --runs 100 --seed 302
	$(BIN)/python tests/study/sites_study.py --persons 150 --seed 300
	$(BIN)/python tests/study/power_bound.py
	$(BIN)/python tests/study/power_stages.py $(POWER_SEEDS)
	$(BIN)/python tests/study/power_best.py $(POWER_SEEDS)

study-cohort: $(DEV)  ## is an odds ratio found without bias, and none where there is none: 500 cohorts; an hour
	$(BIN)/python tests/study/cohort_study.py --errors --runs 400 --cohorts 500 --seed 8
	$(BIN)/python tests/study/cohort_study.py --chain 3 --seed 8

soak: $(DEV)  ## SOAK_N (1000) recordings under faults, then SOAK_H (24) virtual hours
	HBC_REAL_DISK=1 $(BIN)/python tests/study/soak.py --sessions $(or $(SOAK_N),1000) --hours $(or $(SOAK_H),24)

fuzz-host: $(DEV)  ## fuzz deframer, unpacker and session loading, FUZZ_S (600) seconds each
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	for target in deframe unpack frames log; do $(BIN)/python tests/study/fuzz_host.py $$target --seconds $(or $(FUZZ_S),600) || exit 1; done

fuzz-import: $(DEV)  ## fuzz every reader of foreign files, FUZZ_S (600) seconds each
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	for target in edf bdf xdf wfdb openbci polar rr csv folder; do \
		$(BIN)/python tests/study/fuzz_import.py $$target --seconds $(or $(FUZZ_S),600) || exit 1; \
	done

# The names of hbc_hil/bench/scenarios; `day` (24 hours, some 40 minutes) is run by hand.
HIL := quick 10hz itbs stress_1khz paced generator board_esp32s3 board_esp32c6 board_esp32c3
HIL += hour_10hz hour_itbs hour_stress_1khz hour_costs_x10
HIL_FAULTS := active_low bounce bounce_fast bounce_raw brownout costs_x10 drift gc overflow runts stalls stuck_pin uart_noise uart_stall wrap

hil: $(DEV)  ## hardware-in-the-loop scenarios and faults in the simulator, hours of virtual time; JUnit in build/hil
	@mkdir -p build/hil
	@for name in $(HIL); do $(BIN)/hbc hil run $$name --junit build/hil/$$name.xml || exit 1; done
	@for name in $(HIL_FAULTS); do $(BIN)/hbc hil run quick --faults $$name --junit build/hil/quick-$$name.xml || exit 1; done
	@$(BIN)/hbc hil run board_esp32c3 --faults drop_callbacks --junit build/hil/c3-drop.xml

mutate: $(DEV)  ## plant mistakes one at a time, see which test falls; writes docs/mutations.md; half an hour
	$(BIN)/python tests/study/mutations.py --write

docs: $(DEV)  ## regenerate the generated parts of docs/
	$(BIN)/python -m tests.catalogues
	$(BIN)/python -m tests.wire.wire_docs
	$(BIN)/python -m hbc_host.box.app_files > firmware/package.json
	$(BIN)/python -m tests.wiring.wiring_docs

clean:  ## forget everything that was built
	rm -rf .venv .venv-peers typings node_modules build *.egg-info native/hbc_native/_rpeak*
