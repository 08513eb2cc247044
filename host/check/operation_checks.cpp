// SPDX-License-Identifier: Apache-2.0
#include "host/check/operation_checks.h"

#include <array>

namespace touchstone::check {

std::span<const OperationCheck> operation_checks() {
  static constexpr std::array checks = {
      OperationCheck{"conv2d_forward", conv2d_forward_case},
      OperationCheck{"conv2d_backward_data", conv2d_backward_data_case},
      OperationCheck{"conv2d_backward_filters", conv2d_backward_filters_case},
      OperationCheck{"conv2d_backward_bias", conv2d_backward_bias_case},
      OperationCheck{"sigmoid_forward", sigmoid_forward_case},
      OperationCheck{"sigmoid_backward", sigmoid_backward_case},
      OperationCheck{"maxpool_forward", maxpool_forward_case},
      OperationCheck{"maxpool_backward", maxpool_backward_case},
      OperationCheck{"dense_forward", dense_forward_case},
      OperationCheck{"dense_backward", dense_backward_case},
      OperationCheck{"softmax_cross_entropy", softmax_cross_entropy_case},
      OperationCheck{"half_squared_error", half_squared_error_case},
      OperationCheck{"sgd", sgd_case},
      OperationCheck{"adam", adam_case},
      OperationCheck{"adamw", adamw_case},
      OperationCheck{"gather", gather_case},
      OperationCheck{"accuracy", accuracy_case},
      OperationCheck{"shuffle", shuffle_case},
      OperationCheck{"gaussian_covariance", gaussian_covariance_case},
      OperationCheck{"gaussian_cholesky", gaussian_cholesky_case},
      OperationCheck{"gaussian_solve", gaussian_solve_case},
      OperationCheck{"gaussian_pairs", gaussian_pairs_case},
      OperationCheck{"conv2d_maxpool_sigmoid_forward", conv2d_maxpool_sigmoid_forward_case},
      OperationCheck{"conv2d_maxpool_sigmoid_backward_data", conv2d_maxpool_sigmoid_backward_data_case},
      OperationCheck{"conv2d_maxpool_sigmoid_backward_filters", conv2d_maxpool_sigmoid_backward_filters_case},
      OperationCheck{"conv2d_maxpool_sigmoid_backward_bias", conv2d_maxpool_sigmoid_backward_bias_case},
  };
  return checks;
}

}  // namespace touchstone::check
