# SPDX-License-Identifier: Apache-2.0
include_guard()

# The compile settings that every target of the project shares.
function(touchstone_compile_settings target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  # No contraction of a*b+c into one rounding behind our back: results are the same from every compiler, and where a
  # fused multiply-add is wanted the code says so.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -ffp-contract=off)
  if(TOUCHSTONE_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# touchstone_library(NAME SOURCES file... [LINKS target...] [PRIVATE_LINKS target...])
#
# One static library per folder of the architecture, so that the direction of dependencies is enforced by the linker.
# All are installed, and together they are `touchstone::touchstone`.
function(touchstone_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS;PRIVATE_LINKS")
  add_library(${name} STATIC ${arg_SOURCES})
  touchstone_compile_settings(${name})
  target_include_directories(
    ${name}
    PUBLIC "$<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>" "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>"
    PRIVATE "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${arg_LINKS} PRIVATE ${arg_PRIVATE_LINKS})
  set_property(GLOBAL APPEND PROPERTY touchstone_libraries ${name})
endfunction()

# touchstone_test(NAME [SOURCES file...] LINKS target...): tests/NAME.cpp as a GoogleTest program of its own, each of
# its cases known to ctest.
function(touchstone_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  add_executable(${name} ${name}.cpp ${arg_SOURCES})
  touchstone_compile_settings(${name})
  # What takes time is in the libraries; test code itself only takes time to compile.
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${arg_LINKS} GTest::gtest_main GTest::gmock)
  target_compile_definitions(${name} PRIVATE TOUCHSTONE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
