// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "host/check/trial.h"

namespace touchstone::check {

/// The checks of all operations, in the order of their report.
std::span<const OperationCheck> operation_checks();

// What makes case `index` of each operation; in the file <operation>_check.cpp.
Case conv2d_forward_case(std::int64_t index, CaseRandom& random);
Case conv2d_backward_data_case(std::int64_t index, CaseRandom& random);
Case conv2d_backward_filters_case(std::int64_t index, CaseRandom& random);
Case conv2d_backward_bias_case(std::int64_t index, CaseRandom& random);
Case sigmoid_forward_case(std::int64_t index, CaseRandom& random);
Case sigmoid_backward_case(std::int64_t index, CaseRandom& random);
Case maxpool_forward_case(std::int64_t index, CaseRandom& random);
Case maxpool_backward_case(std::int64_t index, CaseRandom& random);
Case dense_forward_case(std::int64_t index, CaseRandom& random);
Case dense_backward_case(std::int64_t index, CaseRandom& random);
Case softmax_cross_entropy_case(std::int64_t index, CaseRandom& random);
Case half_squared_error_case(std::int64_t index, CaseRandom& random);
Case sgd_case(std::int64_t index, CaseRandom& random);
Case adam_case(std::int64_t index, CaseRandom& random);
Case adamw_case(std::int64_t index, CaseRandom& random);
Case gather_case(std::int64_t index, CaseRandom& random);
Case accuracy_case(std::int64_t index, CaseRandom& random);
Case shuffle_case(std::int64_t index, CaseRandom& random);
Case gaussian_covariance_case(std::int64_t index, CaseRandom& random);
Case gaussian_cholesky_case(std::int64_t index, CaseRandom& random);
Case gaussian_solve_case(std::int64_t index, CaseRandom& random);
Case gaussian_pairs_case(std::int64_t index, CaseRandom& random);
Case conv2d_maxpool_sigmoid_forward_case(std::int64_t index, CaseRandom& random);
Case conv2d_maxpool_sigmoid_backward_data_case(std::int64_t index, CaseRandom& random);
Case conv2d_maxpool_sigmoid_backward_filters_case(std::int64_t index, CaseRandom& random);
Case conv2d_maxpool_sigmoid_backward_bias_case(std::int64_t index, CaseRandom& random);

}  // namespace touchstone::check
