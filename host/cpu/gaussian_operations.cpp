// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/gaussian_operations.h"

#include "host/cpu/thread_pool.h"

namespace touchstone::cpu {
namespace {

class CpuGaussianOperations final : public GaussianOperations {
 public:
  explicit CpuGaussianOperations(int threads) : pool_(threads) {}

  [[nodiscard]] std::string device() const override { return "cpu"; }

  void covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                  double* covariance) override {
    run_by_clock([&] { gaussian_covariance(samples, divisor, values, mean, covariance, pool_); });
  }
  void cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures) override {
    run_by_clock([&] { gaussian_cholesky(shape, covariance, factor, failures, pool_); });
  }
  void solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
             double* solution) override {
    run_by_clock([&] { gaussian_solve(shape, factor, right_sides, solution, pool_); });
  }
  void pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence) override {
    run_by_clock([&] { gaussian_pairs(shape, mean, factor, divergence, pool_); });
  }

 private:
  ThreadPool pool_;
};

}  // namespace

std::unique_ptr<GaussianOperations> make_gaussian_operations(int threads) {
  return std::make_unique<CpuGaussianOperations>(threads);
}

}  // namespace touchstone::cpu
