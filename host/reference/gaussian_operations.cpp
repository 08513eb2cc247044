// SPDX-License-Identifier: Apache-2.0
#include "touchstone/gaussian_operations.h"

namespace touchstone::reference {
namespace {

class ReferenceGaussianOperations final : public GaussianOperations {
 public:
  [[nodiscard]] std::string device() const override { return "reference"; }

  void covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                  double* covariance) override {
    run_by_clock([&] { gaussian_covariance(samples, divisor, values, mean, covariance); });
  }
  void cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures) override {
    run_by_clock([&] { gaussian_cholesky(shape, covariance, factor, failures); });
  }
  void solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
             double* solution) override {
    run_by_clock([&] { gaussian_solve(shape, factor, right_sides, solution); });
  }
  void pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence) override {
    run_by_clock([&] { gaussian_pairs(shape, mean, factor, divergence); });
  }
};

}  // namespace

std::unique_ptr<GaussianOperations> make_gaussian_operations() {
  return std::make_unique<ReferenceGaussianOperations>();
}

}  // namespace touchstone::reference
