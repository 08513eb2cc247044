// SPDX-License-Identifier: Apache-2.0
//
// The operations on Gaussians of a device, on host arrays: as in device_operations.cu, each tensor is an allocation of
// its own, outputs are poisoned first, and guard bands are looked at after each operation.
#include "kernels/device_call.h"
#include "kernels/devices.h"
#include "kernels/gaussian_cholesky.h"
#include "kernels/gaussian_covariance.h"
#include "kernels/gaussian_pairs.h"
#include "kernels/gaussian_solve.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

class CudaGaussianOperations final : public GaussianOperations {
 public:
  explicit CudaGaussianOperations(const CudaOptions& options) : runner_(options.index, false) {}

  [[nodiscard]] std::string device() const override { return runner_.device(); }

  void covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                  double* covariance) override {
    const GaussianShape shape = samples.shape();
    run([&](Call& call, cudaStream_t stream) {
      gaussian_covariance(samples, divisor,
                          call.input(samples.offsets.data(), shape.gaussians + 1, "the offsets of the samples"),
                          call.input(values, samples.samples_count(), "the samples"),
                          call.output(mean, shape.means_count(), "the means"),
                          call.output(covariance, shape.matrices_count(), "the covariances"),
                          call.workspace<double>(gaussian_covariance_workspace(samples)), runner_.blas(), stream);
    });
  }

  void cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures) override {
    run([&](Call& call, cudaStream_t stream) {
      gaussian_cholesky(shape, call.input(covariance, shape.matrices_count(), "the covariances"),
                        call.output(factor, shape.matrices_count(), "the factors"),
                        call.output(failures, shape.gaussians, "the failures"), runner_.blas(), stream);
    });
  }

  void solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
             double* solution) override {
    run([&](Call& call, cudaStream_t stream) {
      gaussian_solve(shape, call.input(factor, shape.factors_count(), "the factors"),
                     call.input(right_sides, shape.sides_count(), "the right sides"),
                     call.output(solution, shape.sides_count(), "the solution"), runner_.blas(), stream);
    });
  }

  void pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence) override {
    run([&](Call& call, cudaStream_t stream) {
      gaussian_pairs(shape, call.input(mean, shape.means_count(), "the means"),
                     call.input(factor, shape.matrices_count(), "the factors"),
                     call.output(divergence, shape.pairs_count(), "the divergences"),
                     call.workspace<double>(gaussian_pairs_workspace(shape)), runner_.blas(), stream);
    });
  }

 private:
  template <class Operation>
  void run(const Operation& operation) {
    runner_.run(operation, timer());
  }

  CallRunner runner_;
};

}  // namespace

std::unique_ptr<GaussianOperations> make_gaussian_operations(const CudaOptions& options) {
  return std::make_unique<CudaGaussianOperations>(options);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
