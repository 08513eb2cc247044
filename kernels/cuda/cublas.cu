// SPDX-License-Identifier: Apache-2.0
//
// cuBLAS, loaded when the first of its functions is called. Loading it takes longer than the program needs to start,
// and where there is no GPU it may not even be installed: neither must keep anyone from using the other devices. The
// functions below are those that kernels/ calls; each hands its arguments on to the library's own. This file is
// compiled with hidden visibility, so that nobody else's calls of cuBLAS end here.
#include <string>

#include <cublas_v2.h>
#include <dlfcn.h>

#include "touchstone/error.h"

namespace {

const std::string library_name = "libcublas.so." + std::to_string(CUBLAS_VER_MAJOR);

// What dlerror() says of the last failure, which is one line.
std::string loading_problem() {
  const char* text = dlerror();
  return text == nullptr ? "unknown error" : text;
}

// Where the loader looks (LD_LIBRARY_PATH, the system's folders), else in the toolkit that the program was built with.
void* open_library() {
  constexpr int mode = RTLD_NOW | RTLD_LOCAL;
  if (void* library = dlopen(library_name.c_str(), mode)) {
    return library;
  }
  const std::string problem = loading_problem();
  if (void* library = dlopen((TOUCHSTONE_CUBLAS_DIRECTORY "/" + library_name).c_str(), mode)) {
    return library;
  }
  throw touchstone::Error("cuBLAS cannot be loaded (" + problem +
                          "): install it, put its folder into LD_LIBRARY_PATH, or use --device cpu");
}

void* find_address(const char* name) {
  static void* const library = open_library();  // where it throws, the next call tries again
  void* address = dlsym(library, name);
  if (address == nullptr) {
    throw touchstone::Error(library_name + " lacks a function (" + loading_problem() + "): install another version");
  }
  return address;
}

// A function of the library by its name and the type of its declaration.
template <class Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(find_address(name));
}

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  static auto* const function = find<decltype(cublasCreate_v2)>("cublasCreate_v2");
  return function(handle);
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  static auto* const function = find<decltype(cublasDestroy_v2)>("cublasDestroy_v2");
  return function(handle);
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  static auto* const function = find<decltype(cublasSetStream_v2)>("cublasSetStream_v2");
  return function(handle, stream);
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
  static auto* const function = find<decltype(cublasSetWorkspace_v2)>("cublasSetWorkspace_v2");
  return function(handle, workspace, bytes);
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  static auto* const function = find<decltype(cublasSetAtomicsMode)>("cublasSetAtomicsMode");
  return function(handle, mode);
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  static auto* const function = find<decltype(cublasSetMathMode)>("cublasSetMathMode");
  return function(handle, mode);
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b,
                              int rows, int columns, int terms, const float* alpha, const float* a, int pitch_a,
                              const float* b, int pitch_b, const float* beta, float* c, int pitch_c) {
  static auto* const function = find<decltype(cublasSgemm_v2)>("cublasSgemm_v2");
  return function(handle, transpose_a, transpose_b, rows, columns, terms, alpha, a, pitch_a, b, pitch_b, beta, c,
                  pitch_c);
}

cublasStatus_t cublasDgemm_v2(cublasHandle_t handle, cublasOperation_t transpose_a, cublasOperation_t transpose_b,
                              int rows, int columns, int terms, const double* alpha, const double* a, int pitch_a,
                              const double* b, int pitch_b, const double* beta, double* c, int pitch_c) {
  static auto* const function = find<decltype(cublasDgemm_v2)>("cublasDgemm_v2");
  return function(handle, transpose_a, transpose_b, rows, columns, terms, alpha, a, pitch_a, b, pitch_b, beta, c,
                  pitch_c);
}

const char* cublasGetStatusName(cublasStatus_t status) {
  static auto* const function = find<decltype(cublasGetStatusName)>("cublasGetStatusName");
  return function(status);
}

const char* cublasGetStatusString(cublasStatus_t status) {
  static auto* const function = find<decltype(cublasGetStatusString)>("cublasGetStatusString");
  return function(status);
}

}  // extern "C"
