# SPDX-License-Identifier: Apache-2.0
touchstone_test(check_bounds_test LINKS touchstone_check)
touchstone_test(check_operations_test LINKS touchstone_check)
touchstone_test(check_executor_test LINKS touchstone_check)
touchstone_test(check_network_test LINKS touchstone_check)
touchstone_test(bench_test LINKS touchstone_bench)
touchstone_test(profile_test LINKS touchstone_bench)
