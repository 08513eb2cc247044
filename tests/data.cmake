# SPDX-License-Identifier: Apache-2.0
touchstone_test(random_test LINKS touchstone_data)
