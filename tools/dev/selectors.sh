#!/usr/bin/env bash
# read Apple's Core ML interface again from the crates that record it (needs cargo), and check ours
source "$(dirname "$0")/../lib/common.sh"
command -v cargo > /dev/null || fail "cargo is missing (https://rustup.rs)"
exec python3 tools/lint/coreml_selectors.py --refresh
