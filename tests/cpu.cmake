# SPDX-License-Identifier: Apache-2.0
foreach(name IN ITEMS cpu_conv2d_maxpool_sigmoid_test cpu_conv2d_test cpu_dense_test cpu_executor_test cpu_gather_test
                      cpu_gaussian_test cpu_half_squared_error_test cpu_maxpool_test
                      cpu_optimizer_test cpu_permutations_test cpu_sigmoid_test cpu_softmax_cross_entropy_test cpu_workspace_test
                      thread_pool_test)
  touchstone_test(${name} LINKS touchstone_cpu hwy::hwy fmt::fmt)
endforeach()
target_link_libraries(cpu_conv2d_maxpool_sigmoid_test PRIVATE touchstone_check)
