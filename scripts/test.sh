#!/usr/bin/env bash
# Gets everything the tests need, then runs the whole suite. Arguments go to `cargo test`:
#   ./scripts/test.sh                  everything
#   ./scripts/test.sh --test s3_traps  one test binary
#
# MinIO, s5cmd and moto are taken from STRATA_TEST_MINIO, STRATA_TEST_S5CMD and STRATA_TEST_MOTO, else from PATH (moto only
# where none can be fetched), else kept in ${XDG_CACHE_HOME:-~/.cache}/strata-ckpt; strace and faketime from STRATA_TEST_STRACE and
# STRATA_TEST_FAKETIME, else from PATH, else from the system's packages.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/lib/setup.sh
. "$root/scripts/lib/setup.sh"

need_rust "$root"
need_build_packages
need_test_packages
STRATA_TEST_MINIO=$(find_minio)
STRATA_TEST_S5CMD=$(find_s5cmd)
STRATA_TEST_MOTO=$(find_moto)
STRATA_TEST_STRACE=$(find_strace)
STRATA_TEST_FAKETIME=$(find_faketime)
export STRATA_TEST_MINIO STRATA_TEST_S5CMD STRATA_TEST_MOTO STRATA_TEST_STRACE STRATA_TEST_FAKETIME

cd "$root"
exec cargo test --locked "$@"
