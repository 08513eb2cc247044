# SPDX-License-Identifier: Apache-2.0
touchstone_test(spelling_test LINKS touchstone_model)
touchstone_test(network_test LINKS touchstone_model)
touchstone_test(plan_test LINKS touchstone_model)
touchstone_test(safetensors_test LINKS touchstone_model fmt::fmt)
touchstone_test(model_test LINKS touchstone_model)
touchstone_test(write_file_test LINKS touchstone_model)
