# SPDX-License-Identifier: Apache-2.0
include_guard()
include(CheckLibraryExists)

# OpenBLAS does cuBLAS's work for the emulated device, and finds eigenvectors and singular values. Another library with
# the CBLAS interface can be named in its place (OPENBLAS_LIBRARY); where it has no LAPACK, what needs that says so.
find_path(OPENBLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES openblas openblas-pthread)
find_library(OPENBLAS_LIBRARY openblas REQUIRED)
mark_as_advanced(OPENBLAS_INCLUDE_DIR OPENBLAS_LIBRARY)

check_library_exists("${OPENBLAS_LIBRARY}" dsyevr_ "" TOUCHSTONE_HAS_LAPACK)
if(NOT TOUCHSTONE_HAS_LAPACK)
  message(STATUS "LAPACK is not part of ${OPENBLAS_LIBRARY}: principal components are left out")
endif()

# touchstone_use_blas(TARGET): its headers, itself, and TOUCHSTONE_OPENBLAS where it is OpenBLAS.
function(touchstone_use_blas target)
  target_link_libraries(${target} PRIVATE "${OPENBLAS_LIBRARY}")
  target_include_directories(${target} SYSTEM PRIVATE "${OPENBLAS_INCLUDE_DIR}")
  if(OPENBLAS_LIBRARY MATCHES "openblas")
    target_compile_definitions(${target} PRIVATE TOUCHSTONE_OPENBLAS)
  endif()
endfunction()
