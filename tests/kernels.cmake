# SPDX-License-Identifier: Apache-2.0

# touchstone_kernel_test(NAME): tests/NAME.cpp for the emulated device, and where CUDA is built also as NAME_cuda, for
# a GPU; that one skips its tests where there is none.
function(touchstone_kernel_test name)
  touchstone_test(${name} LINKS touchstone_emulated touchstone_emulation)
  if(TOUCHSTONE_CUDA_ENABLED)
    add_executable(${name}_cuda ${name}.cpp)
    touchstone_compile_settings(${name}_cuda)
    target_include_directories(${name}_cuda PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${name}_cuda PRIVATE touchstone_cuda CUDA::toolkit GTest::gtest_main GTest::gmock)
    gtest_discover_tests(${name}_cuda TEST_PREFIX "cuda." DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
  endif()
endfunction()

touchstone_kernel_test(kernels_block_plan_test)
touchstone_kernel_test(kernels_executor_test)
touchstone_kernel_test(kernels_fused_step_test)
touchstone_kernel_test(kernels_network_pass_test)
touchstone_kernel_test(kernels_operations_test)
touchstone_kernel_test(kernels_plan_test)
