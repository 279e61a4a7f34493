# Needs Python 3.11 or later and make; everything else goes into .venv. Without make: python code/booktools book
PYTHON ?= python3

book test test-tensorflow serve lab run check:
	@$(PYTHON) code/booktools $@

test-quick:
	@$(PYTHON) code/booktools test --quick

lab-tensorflow:
	@$(PYTHON) code/booktools lab --tensorflow

bench:
	@$(PYTHON) code/booktools bench $(or $(SUBJECT),vectors)

.PHONY: book test test-quick test-tensorflow serve lab lab-tensorflow run check bench
