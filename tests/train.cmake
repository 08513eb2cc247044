# SPDX-License-Identifier: Apache-2.0
touchstone_test(drift_test LINKS touchstone_train)
touchstone_test(schedule_test LINKS touchstone_train)
touchstone_test(device_test LINKS touchstone_train)
touchstone_test(run_directory_test LINKS touchstone_train)
touchstone_test(training_test LINKS touchstone_train nlohmann_json::nlohmann_json)
touchstone_test(evaluation_test LINKS touchstone_train)
touchstone_test(training_emulated_test LINKS touchstone_train touchstone_emulation)
