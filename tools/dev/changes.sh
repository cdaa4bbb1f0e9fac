#!/usr/bin/env bash
# make each change that ARCHITECTURE.md counts, in a copy of the tree; build, prove and count: [--check]
source "$(dirname "$0")/../lib/common.sh"
bash tools/dev/install.sh build
exec python3 tools/changes/changes.py "$@"
