// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>

#include <cblas.h>

#include "emulation/device_state.h"
#include "emulation/include/cublas_v2.h"

namespace touchstone::emulation::runtime {

/// The settings of a handle.
struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
  cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
};

namespace {

/// A batch of column-major matrices of T in device memory: `rows` x `columns`, as stored.
template <class T>
struct Matrices {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t leading;
  std::int64_t stride;
  std::int64_t count;

  [[nodiscard]] std::size_t bytes() const {
    const std::int64_t one = rows == 0 || columns == 0 ? 0 : (columns - 1) * leading + rows;
    return one == 0 || count == 0 ? 0 : static_cast<std::size_t>((count - 1) * stride + one) * sizeof(T);
  }
};

/// A factor that stands in host memory, which is read at the call, or in device memory, which is read when the stream
/// gets there.
template <class T>
class Factor {
 public:
  Factor(const Device& device, const T* address, cublasPointerMode_t mode) : address_(address) {
    if (mode == CUBLAS_POINTER_MODE_DEVICE) {
      device.require_allocated(address, sizeof(T), "a factor of a cuBLAS call");
    } else if (device.memory.owns(address)) {
      throw Defect{cudaErrorIllegalAddress, "a factor of a cuBLAS call is in device memory, the mode says host"};
    } else {
      value_ = *address;
      address_ = nullptr;
    }
  }
  [[nodiscard]] T value() const { return address_ == nullptr ? value_ : *address_; }

 private:
  const T* address_;
  T value_ = 0;
};

cublasStatus_t status_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return CUBLAS_STATUS_SUCCESS;
    case cudaErrorMemoryAllocation:
      return CUBLAS_STATUS_ALLOC_FAILED;
    case cudaErrorInvalidValue:
      return CUBLAS_STATUS_INVALID_VALUE;
    default:
      return CUBLAS_STATUS_EXECUTION_FAILED;
  }
}

template <class Call>
cublasStatus_t with(cublasHandle_t handle, const Call& call) {
  if (handle == nullptr) {
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  Device& device = Device::get();
  return status_of(device.guarded([&] { call(device); }));
}

CBLAS_TRANSPOSE transposition(cublasOperation_t operation) {
  return operation == CUBLAS_OP_N ? CblasNoTrans : CblasTrans;
}

void require(bool condition, const std::string& text) {
  if (!condition) {
    throw Defect{cudaErrorInvalidValue, text};
  }
}

/// As a kernel that reads past its tensors would: the device fails.
void require_operand(const Device& device, const void* address, std::size_t bytes, const std::string& what) {
  try {
    device.require_allocated(address, bytes, what);
  } catch (const Defect& defect) {
    throw Defect{cudaErrorIllegalAddress, defect.text, address};
  }
}

/// c = alpha op(a) op(b) + beta c for each of a batch of column-major matrices.
template <class T>
struct Gemm {
  const char* name;
  cublasOperation_t transpose_a;
  cublasOperation_t transpose_b;
  int m;
  int n;
  int k;
  const T* a;
  int lda;
  long long stride_a;
  const T* b;
  int ldb;
  long long stride_b;
  T* c;
  int ldc;
  long long stride_c;
  int batch;
};

void multiply(const Gemm<float>& g, int index, float alpha, float beta) {
  cblas_sgemm(CblasColMajor, transposition(g.transpose_a), transposition(g.transpose_b), g.m, g.n, g.k, alpha,
              g.a + index * g.stride_a, g.lda, g.b + index * g.stride_b, g.ldb, beta, g.c + index * g.stride_c, g.ldc);
}

void multiply(const Gemm<double>& g, int index, double alpha, double beta) {
  cblas_dgemm(CblasColMajor, transposition(g.transpose_a), transposition(g.transpose_b), g.m, g.n, g.k, alpha,
              g.a + index * g.stride_a, g.lda, g.b + index * g.stride_b, g.ldb, beta, g.c + index * g.stride_c, g.ldc);
}

template <class T>
cublasStatus_t gemm(cublasHandle_t handle, const Gemm<T>& g, const T* alpha, const T* beta) {
  return with(handle, [&](Device& device) {
    const bool plain_a = g.transpose_a == CUBLAS_OP_N;
    const bool plain_b = g.transpose_b == CUBLAS_OP_N;
    const Matrices<T> in_a = {plain_a ? g.m : g.k, plain_a ? g.k : g.m, g.lda, g.stride_a, g.batch};
    const Matrices<T> in_b = {plain_b ? g.k : g.n, plain_b ? g.n : g.k, g.ldb, g.stride_b, g.batch};
    const Matrices<T> out = {g.m, g.n, g.ldc, g.stride_c, g.batch};
    const std::string name = g.name;
    require(g.m >= 0 && g.n >= 0 && g.k >= 0 && g.batch >= 0, name + ": a negative size");
    require(g.lda >= std::max<std::int64_t>(1, in_a.rows), name + ": lda is smaller than the rows of a");
    require(g.ldb >= std::max<std::int64_t>(1, in_b.rows), name + ": ldb is smaller than the rows of b");
    require(g.ldc >= std::max<std::int64_t>(1, out.rows), name + ": ldc is smaller than the rows of c");
    if (out.bytes() == 0) {
      return;
    }
    const auto check = [&device, in_a, in_b, out, g, name] {
      require_operand(device, g.a, in_a.bytes(), "matrix a of " + name);
      require_operand(device, g.b, in_b.bytes(), "matrix b of " + name);
      require_operand(device, g.c, out.bytes(), "matrix c of " + name);
    };
    check();
    const Factor<T> scale(device, alpha, handle->pointers);
    const Factor<T> keep(device, beta, handle->pointers);
    device.enqueue(handle->stream, g.name, [=] {
      check();
      for (int index = 0; index < g.batch; ++index) {
        multiply(g, index, scale.value(), keep.value());
      }
    });
  });
}

}  // namespace

const char* cublasGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_MAPPING_ERROR:
      return "CUBLAS_STATUS_MAPPING_ERROR";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unrecognized status";
}

const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED:
      return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_ARCH_MISMATCH:
      return "the function requires a feature absent from the device architecture";
    case CUBLAS_STATUS_MAPPING_ERROR:
      return "an access to GPU memory space failed";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "the GPU program failed to execute";
    case CUBLAS_STATUS_INTERNAL_ERROR:
      return "an internal operation failed";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the functionality requested is not supported";
  }
  return "unrecognized status";
}

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  *handle = nullptr;
  return status_of(Device::get().guarded([&] {
#ifdef TOUCHSTONE_OPENBLAS
    // One thread: the same bits on any machine, and no threads besides those of the emulation.
    openblas_set_num_threads(1);
#endif
    *handle = new cublasContext;
  }));
}

cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  if (handle == nullptr) {
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion(cublasHandle_t handle, int* version) {
  return with(handle, [&](const Device&) { *version = CUDART_VERSION * 10; });
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  return with(handle, [&](const Device& device) {
    static_cast<void>(device.streams.get(stream));
    handle->stream = stream;
  });
}

cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  return with(handle, [&](const Device&) { *stream = handle->stream; });
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  constexpr std::uintptr_t alignment = 256;
  return with(handle, [&](const Device& device) {
    require(reinterpret_cast<std::uintptr_t>(workspace) % alignment == 0,
            "cublasSetWorkspace: the workspace is not aligned to 256 bytes");
    device.require_allocated(workspace, bytes, "cuBLAS's workspace");
  });
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  return with(handle, [&](const Device&) { handle->math = mode; });
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  return with(handle, [&](const Device&) { *mode = handle->math; });
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  return with(handle, [&](const Device&) { handle->atomics = mode; });
}

cublasStatus_t cublasGetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t* mode) {
  return with(handle, [&](const Device&) { *mode = handle->atomics; });
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
  return with(handle, [&](const Device&) { handle->pointers = mode; });
}

cublasStatus_t cublasGetPointerMode(cublasHandle_t handle, cublasPointerMode_t* mode) {
  return with(handle, [&](const Device&) { *mode = handle->pointers; });
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m,
                           int n, int k, const float* alpha, const float* a, int lda, const float* b, int ldb,
                           const float* beta, float* c, int ldc) {
  return cublasSgemmStridedBatched(handle, transpose_a, transpose_b, m, n, k, alpha, a, lda, 0, b, ldb, 0, beta, c, ldc,
                                   0, 1);
}

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b, int m,
                           int n, int k, const double* alpha, const double* a, int lda, const double* b, int ldb,
                           const double* beta, double* c, int ldc) {
  return gemm<double>(handle, {"cublasDgemm", transpose_a, transpose_b, m, n, k, a, lda, 0, b, ldb, 0, c, ldc, 0, 1},
                      alpha, beta);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transpose_a,
                                         cublasOperation_t transpose_b, int m, int n, int k, const float* alpha,
                                         const float* a, int lda, long long stride_a, const float* b, int ldb,
                                         long long stride_b, const float* beta, float* c, int ldc, long long stride_c,
                                         int batch) {
  return gemm<float>(
      handle,
      {"cublasSgemm", transpose_a, transpose_b, m, n, k, a, lda, stride_a, b, ldb, stride_b, c, ldc, stride_c, batch},
      alpha, beta);
}

cublasStatus_t cublasSgemv(cublasHandle_t handle, cublasOperation_t transpose, int m, int n, const float* alpha,
                           const float* a, int lda, const float* x, int incx, const float* beta, float* y, int incy) {
  return with(handle, [&](Device& device) {
    const bool plain = transpose == CUBLAS_OP_N;
    require(m >= 0 && n >= 0, "cublasSgemv: a negative size");
    require(lda >= std::max(1, m), "cublasSgemv: lda is smaller than the rows of a");
    require(incx > 0 && incy > 0, "cublasSgemv: an increment that is not positive");
    if (m == 0 || n == 0) {
      return;
    }
    const Matrices<float> matrix = {m, n, lda, 0, 1};
    const Matrices<float> input = {1, plain ? n : m, incx, 0, 1};
    const Matrices<float> output = {1, plain ? m : n, incy, 0, 1};
    const auto check = [&device, matrix, input, output, a, x, y] {
      require_operand(device, a, matrix.bytes(), "matrix a of cublasSgemv");
      require_operand(device, x, input.bytes(), "vector x of cublasSgemv");
      require_operand(device, y, output.bytes(), "vector y of cublasSgemv");
    };
    check();
    const Factor<float> scale(device, alpha, handle->pointers);
    const Factor<float> keep(device, beta, handle->pointers);
    device.enqueue(handle->stream, "cublasSgemv", [=] {
      check();
      cblas_sgemv(CblasColMajor, transposition(transpose), m, n, scale.value(), a, lda, x, incx, keep.value(), y, incy);
    });
  });
}

}  // namespace touchstone::emulation::runtime
