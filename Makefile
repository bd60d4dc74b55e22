# `make demo`, `make demo-seg` and `make test` do all the set-up they need; `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python

.PHONY: help install demo demo-seg test test-faults test-fuzz lint env-info clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

install: $(STAMP) ## make .venv with everything in it

$(STAMP): requirements/install.sh $(wildcard requirements/*.txt) setup.py
	requirements/install.sh $(VENV) $(PYTHON)
	@touch $@

demo: install ## train on synthetic people, evaluate, draw the predicted poses
	$(RUN) tools/demo.py

demo-seg: install ## train on synthetic streets, evaluate, draw the predicted classes
	$(RUN) tools/demo_seg.py

test: install ## run the tests
	$(RUN) -m pytest

test-fuzz: install ## read 12,000 broken and hostile files with every reader
	$(RUN) tests/fuzz/run_fuzz.py --inputs 12000

test-faults: install ## kill training twenty times and resume it, and compare the weights
	$(RUN) tests/faults/kill_and_resume.py --kills 20

lint: install ## check style
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

env-info: install ## print the versions of everything that matters
	$(RUN) tools/env_info.py

clean: ## remove the virtual environment and what the demos wrote
	rm -rf $(VENV) data/synthetic_people data/synthetic_streets work_dirs/demo \
		work_dirs/demo_seg
