#!/usr/bin/env bash
# remove the build, the Python environment and the demo's models
source "$(dirname "$0")/../lib/common.sh"
rm -rf build .venv tests/fixtures/models dist .pytest_cache
say "removed build/, .venv/ and tests/fixtures/models/"
