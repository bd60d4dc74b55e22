# `make demo`, `make demo-seg` and `make test` do all the set-up they need; `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python

TORCH ?= 2.6.0
TORCHVISION ?= 0.21.0

.PHONY: help install demo demo-seg test test-core test-versions test-faults test-fuzz test-numbers \
	test-options test-soak lint lock audit env-info clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

install: $(STAMP) ## make .venv with everything in it

$(STAMP): requirements/install.sh $(wildcard requirements/lock/*.txt) setup.py
	requirements/install.sh $(VENV) $(PYTHON)
	@touch $@

demo: install ## train on synthetic people, evaluate, draw the predicted poses
	$(RUN) tools/demo.py

demo-seg: install ## train on synthetic streets, evaluate, draw the predicted classes
	$(RUN) tools/demo_seg.py

test: install ## run the tests
	$(RUN) -m pytest

test-core: install ## run the tests of what depends on versions
	$(RUN) -m pytest @tests/versions/core.txt

test-versions: ## run those with other versions: TORCH=, TORCHVISION=, PYTHON=, MMCV=a wheel
	tests/versions/run.sh $(TORCH) $(TORCHVISION) $(PYTHON) $(MMCV)

test-fuzz: install ## read 12,000 broken and hostile files with every reader
	$(RUN) tests/fuzz/run_fuzz.py --inputs 12000

test-faults: install ## kill training twenty times and resume it, and compare the weights
	$(RUN) tests/faults/kill_and_resume.py --kills 20

test-options: install ## have each option ignored, one at a time, and see that a test fails
	$(RUN) tests/options/check_options.py --jobs 2

test-numbers: install ## run every net forward and backward on 2,000 random shapes
	$(RUN) tests/numbers/random_shapes.py --passes 2000

test-soak: install ## train 3,000 steps and see that memory stays flat
	$(RUN) tests/faults/soak.py --steps 3000

lint: install ## check style
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

lock: ## write requirements/lock/ anew from the pins in requirements/ (OPTIONS= of uv)
	requirements/lock.sh $(PYTHON) $(OPTIONS)

audit: ## ask a database of vulnerabilities about what is locked (OPTIONS= of pip-audit)
	requirements/audit.sh $(PYTHON) $(OPTIONS)

env-info: install ## print the versions of everything that matters
	$(RUN) tools/env_info.py

clean: ## remove the virtual environments and what the demos wrote
	rm -rf $(VENV) .venv.* data/synthetic_people data/synthetic_streets work_dirs/demo \
		work_dirs/demo_seg
