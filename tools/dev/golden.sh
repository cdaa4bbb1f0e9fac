#!/usr/bin/env bash
# compare what the command makes with the golden list: [--write | --against OTHER_COMMAND]
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build
build release anemone
exec python3 python/tests/golden.py "$@" build/bin/anemone
