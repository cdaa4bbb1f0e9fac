#!/usr/bin/env bash
# changes: the table of ARCHITECTURE.md says what the recipes of tools/changes touch
source "$(dirname "$0")/../lib/common.sh"
exec python3 tools/changes/changes.py --check
