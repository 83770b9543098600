PYTHON ?= $(shell test -x .venv/bin/python && echo .venv/bin/python || echo python3)

.PHONY: docs clean-docs

docs: ## the documentation, in docs/_build/html; warnings are errors
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

clean-docs:
	rm -rf docs/_build docs/gallery docs/generated
