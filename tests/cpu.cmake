# SPDX-License-Identifier: Apache-2.0
set(cpu_links touchstone_cpu hwy::hwy fmt::fmt)
touchstone_test(cpu_conv2d_test LINKS ${cpu_links})
touchstone_test(cpu_dense_test LINKS ${cpu_links})
