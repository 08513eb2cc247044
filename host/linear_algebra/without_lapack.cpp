// SPDX-License-Identifier: Apache-2.0
// What takes the place of the decompositions in a build without LAPACK: says so.
#include "host/linear_algebra/decompositions.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

constexpr const char* problem =
    "this build has no LAPACK, which finds eigenvectors and singular values: build with OpenBLAS";

}  // namespace

void require_lapack() { throw Error(problem); }

SingleThread::SingleThread() = default;
SingleThread::~SingleThread() = default;

// NOLINTBEGIN(performance-unnecessary-value-param): the matrices are for those who work in them
Eigenpairs largest_eigenpairs(std::int64_t /*size*/, std::vector<double> /*matrix*/, std::int64_t /*count*/) {
  throw Error(problem);
}

std::vector<double> orthonormal_basis(std::int64_t /*rows*/, std::int64_t /*columns*/, std::vector<double> /*matrix*/) {
  throw Error(problem);
}

std::vector<double> singular_values(std::int64_t /*rows*/, std::int64_t /*columns*/, std::vector<double> /*matrix*/) {
  throw Error(problem);
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace touchstone
