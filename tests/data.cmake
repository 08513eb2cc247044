# SPDX-License-Identifier: Apache-2.0
touchstone_test(dataset_test LINKS touchstone_data Libdeflate::Libdeflate)
touchstone_test(idx_test LINKS touchstone_data Libdeflate::Libdeflate)
touchstone_test(picture_test LINKS touchstone_data Libdeflate::Libdeflate)
touchstone_test(random_test LINKS touchstone_data)
touchstone_test(sample_file_test LINKS touchstone_data)
