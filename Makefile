# Every verb of the project. `make run` and `make test` are all that a newcomer needs.
.POSIX:
SHELL = /bin/sh
BIN = .venv/bin

.PHONY: help setup run test lint fmt docs lock screenshots synth deploy destroy test-deploy soak bench

help:
	@echo "make run    start robosignal with a demo robot and print the links to drive it"
	@echo "make test   lint, types, every test"
	@echo "make setup  install everything that the tests need into .venv"
	@echo "make lint   only the linters and the type checkers"
	@echo "make fmt    format the code"
	@echo "make docs   build the documentation into build/docs"
	@echo "make synth  write the CloudFormation templates; needs no account"
	@echo "make deploy STAGE=dev   deploy to the AWS account of your credentials"
	@echo "make destroy STAGE=dev  remove that deployment"
	@echo "make test-deploy  deploy into an emulator on this machine, use it, destroy it"
	@echo "make bench  measure what an event costs, and how fast the local gateway is"
	@echo "make soak   test the control lease at length, for about an hour"
	@echo "make lock   update the locked dependencies after a change to pyproject.toml"
	@echo "make screenshots  retake the pictures of the console"

run:
	@GOALS="$(MAKECMDGOALS)" tools/setup run
	@$(BIN)/robosignal serve --demo $(ARGS)

setup:
	@GOALS="$(MAKECMDGOALS)" tools/setup dev

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix tests/web run --silent lint

# One process a core; the tests of one file share their fixtures.
test: lint
	@$(BIN)/pytest -n auto --dist loadfile $(ARGS)

# The deployment's own stage, of any name: it makes the stack robosignal-STAGE.
STAGE = dev

synth: setup
	@tools/cdk/cdk synth --quiet -c STAGE=$(STAGE) $(ARGS)

deploy: setup
	@tools/deploy $(STAGE) $(ARGS)

destroy: setup
	@tools/cdk/cdk destroy -c STAGE=$(STAGE) $(ARGS)

test-deploy: setup
	@tools/test-deploy $(ARGS)

# All that proves the control lease, then every mutation of its rules; writes the figures into docs.
soak: setup
	@$(BIN)/python -m tools.mutate
	@ROBOSIGNAL_SOAK=1 $(BIN)/python -m tools.proof

# About two minutes; writes the figures into docs/explanation/benchmarks.md.
bench: setup
	@$(BIN)/python -m benchmarks $(ARGS)

fmt: setup
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix tests/web run --silent fmt

# Without a network: a reader's browser asks no third party for anything either.
docs: setup
	@$(BIN)/python -m tools.reference
	@$(BIN)/python -m sphinx -q -W --keep-going -n -d build/doctrees -c tools/docs docs build/docs
	@echo "open build/docs/index.html"

screenshots: setup
	@$(BIN)/python -m tools.screenshots

# Every Python and platform at once, with hashes; what running needs, then everything.
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml
EXTRAS = --extra build --extra robot --extra gateway

lock: setup
	@$(LOCK) $(EXTRAS) --extra dev --extra docs --output-file requirements.txt
	@$(LOCK) $(EXTRAS) --output-file requirements-run.txt
