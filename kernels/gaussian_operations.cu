// SPDX-License-Identifier: Apache-2.0
//
// The operations on Gaussians of a device, on host arrays: as in device_operations.cu, each tensor is an allocation of
// its own, outputs are poisoned first, and guard bands are looked at after each operation.
#include "kernels/allocator.h"
#include "kernels/device.h"
#include "kernels/device_call.h"
#include "kernels/devices.h"
#include "kernels/gaussian_cholesky.h"
#include "kernels/gaussian_covariance.h"
#include "kernels/gaussian_pairs.h"
#include "kernels/gaussian_solve.h"
#include "kernels/handles.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

class CudaGaussianOperations final : public GaussianOperations {
 public:
  explicit CudaGaussianOperations(const CudaOptions& options) : runner_(options.index) {
    blas_workspace_ =
        Buffer<char>(allocator_, static_cast<std::int64_t>(blas_workspace_bytes), "the workspace of cuBLAS");
    blas_ = make_blas_handle(runner_.stream(), blas_workspace_.data(), blas_workspace_.bytes(), false);
  }

  [[nodiscard]] std::string device() const override { return device_name(runner_.index()); }

  void covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                  double* covariance) override {
    const GaussianShape shape = samples.shape();
    run([&](Call& call, cudaStream_t stream) {
      gaussian_covariance(samples, divisor,
                          call.input(samples.offsets.data(), shape.gaussians + 1, "the offsets of the samples"),
                          call.input(values, samples.samples_count(), "the samples"),
                          call.output(mean, shape.means_count(), "the means"),
                          call.output(covariance, shape.matrices_count(), "the covariances"),
                          call.workspace<double>(gaussian_covariance_workspace(samples)), blas_.get(), stream);
    });
  }

  void cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures) override {
    run([&](Call& call, cudaStream_t stream) {
      gaussian_cholesky(shape, call.input(covariance, shape.matrices_count(), "the covariances"),
                        call.output(factor, shape.matrices_count(), "the factors"),
                        call.output(failures, shape.gaussians, "the failures"), blas_.get(), stream);
    });
  }

  void solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
             double* solution) override {
    run([&](Call& call, cudaStream_t stream) {
      gaussian_solve(shape, call.input(factor, shape.factors_count(), "the factors"),
                     call.input(right_sides, shape.sides_count(), "the right sides"),
                     call.output(solution, shape.sides_count(), "the solution"), blas_.get(), stream);
    });
  }

  void pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence) override {
    run([&](Call& call, cudaStream_t stream) {
      gaussian_pairs(shape, call.input(mean, shape.means_count(), "the means"),
                     call.input(factor, shape.matrices_count(), "the factors"),
                     call.output(divergence, shape.pairs_count(), "the divergences"),
                     call.workspace<double>(gaussian_pairs_workspace(shape)), blas_.get(), stream);
    });
  }

 private:
  template <class Operation>
  void run(const Operation& operation) {
    runner_.run(operation, timer());
    allocator_.verify();
  }

  CallRunner runner_;
  GuardedAllocator allocator_;  // of what outlives a call
  Buffer<char> blas_workspace_;
  BlasHandle blas_;
};

}  // namespace

std::unique_ptr<GaussianOperations> make_gaussian_operations(const CudaOptions& options) {
  return std::make_unique<CudaGaussianOperations>(options);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
