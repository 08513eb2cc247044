# SPDX-License-Identifier: Apache-2.0
touchstone_test(conv2d_test LINKS touchstone_reference)
touchstone_test(dense_test LINKS touchstone_reference)
touchstone_test(maxpool_test LINKS touchstone_reference)
touchstone_test(sigmoid_test LINKS touchstone_reference)
