# SPDX-License-Identifier: Apache-2.0
touchstone_test(heat_map_test LINKS touchstone_report)
touchstone_test(image_pairs_test LINKS touchstone_report)
touchstone_test(report_test LINKS touchstone_report)

# Tests that run the program itself.
add_library(cli_test_support STATIC subprocess.cpp)
touchstone_compile_settings(cli_test_support)
foreach(name IN ITEMS cli_bench_test cli_codes_test cli_divergence_test cli_errors_test cli_interrupt_test cli_results_test
                      cli_terminal_test cli_train_test cli_usage_test)
  touchstone_test(${name} LINKS cli_test_support touchstone_model touchstone_data Libdeflate::Libdeflate
                                nlohmann_json::nlohmann_json)
  add_dependencies(${name} touchstone_program)
  target_compile_definitions(${name} PRIVATE TOUCHSTONE_PROGRAM="$<TARGET_FILE:touchstone_program>")
endforeach()
target_link_libraries(cli_codes_test PRIVATE touchstone_train)
