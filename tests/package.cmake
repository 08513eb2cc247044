# SPDX-License-Identifier: Apache-2.0
# Installs the build and uses it as another project would. What a sanitizer or a coverage count could find there, the
# other tests show in a fraction of the time.
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize|--coverage")
  add_test(
    NAME package.example_builds_from_an_installed_tree
    COMMAND
      "${CMAKE_COMMAND}" "-DBUILD=${PROJECT_BINARY_DIR}" "-DSOURCE=${PROJECT_SOURCE_DIR}"
      "-DWORK=${CMAKE_CURRENT_BINARY_DIR}/package_test" "-DGENERATOR=${CMAKE_GENERATOR}"
      "-DCOMPILER=${CMAKE_CXX_COMPILER}" "-DBUILD_TYPE=${CMAKE_BUILD_TYPE}" -P
      "${CMAKE_CURRENT_LIST_DIR}/package_test/run.cmake")
  set_tests_properties(package.example_builds_from_an_installed_tree PROPERTIES TIMEOUT 600)
endif()
