#!/usr/bin/env bash
# the fault campaigns for longer: [CALLS] (default 2,000,000 calls of 8 threads), then 100,000 predictions watched for memory
source "$(dirname "$0")/../lib/common.sh"
calls=${1:-2000000}
bash tools/dev/install.sh build test
build release anemone_tests_runtime anemone_tests_coreml
export ANEMONE_CAMPAIGN_CALLS=$calls
failed=0
build/release/anemone_tests_runtime --gtest_filter='*Campaign*:BreakerModel*:SessionTest.AHundredThousand*' || failed=1
build/release/anemone_tests_coreml --gtest_filter='*Campaign*:*Leak*:*TenThousand*' || failed=1
exit "$failed"
