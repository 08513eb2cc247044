# SPDX-License-Identifier: Apache-2.0

# Each tests/NAME.cpp is a test of its own for the emulated device. Where CUDA is built, all of them are also one program
# for a GPU, which skips its tests where there is none: one, since each program has all kernels in it.
set(kernel_tests kernels_block_plan_test kernels_executor_test kernels_fused_step_test kernels_network_pass_test
                 kernels_operations_test kernels_plan_test kernels_quotient_test kernels_tensor_core_test
                 kernels_tensor_plan_test)

foreach(name IN LISTS kernel_tests)
  touchstone_test(${name} LINKS touchstone_emulated touchstone_emulation)
endforeach()

# Kernels of the tests' own, compiled as those of kernels/ are.
set_source_files_properties(kernels_quotients.cu kernels_tensor_product.cu PROPERTIES LANGUAGE CXX)
target_sources(kernels_quotient_test PRIVATE kernels_quotients.cu)
target_sources(kernels_tensor_core_test PRIVATE kernels_tensor_product.cu)

if(TOUCHSTONE_CUDA_ENABLED)
  list(TRANSFORM kernel_tests APPEND .cpp OUTPUT_VARIABLE kernel_test_sources)
  add_subdirectory(cuda)
  add_executable(kernels_test_cuda ${kernel_test_sources})
  touchstone_compile_settings(kernels_test_cuda)
  target_include_directories(kernels_test_cuda PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(kernels_test_cuda PRIVATE kernels_own touchstone_cuda CUDA::toolkit GTest::gtest_main GTest::gmock)
  gtest_discover_tests(kernels_test_cuda TEST_PREFIX "cuda." DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endif()
