# SPDX-License-Identifier: Apache-2.0
include_guard()

# Decides whether the CUDA backend is built, and enables the language. Sets
#   TOUCHSTONE_CUDA_ENABLED     whether touchstone_cuda holds the kernels, or only says that it does not
#   CMAKE_CUDA_ARCHITECTURES    unless the caller has set it
#   CMAKE_CUDA_RUNTIME_LIBRARY  Static unless the caller has set it to Shared

# What released GPUs have; each is built for directly where the compiler knows it, and the newest that it knows also as
# PTX, which the driver compiles for later GPUs.
set(touchstone_cuda_architectures 75 80 86 89 90 100 120)

# The architectures above that `nvcc` can compile for.
function(touchstone_known_architectures nvcc result)
  execute_process(
    COMMAND "${nvcc}" --list-gpu-arch
    OUTPUT_VARIABLE listed
    RESULT_VARIABLE status
    ERROR_QUIET)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${nvcc} --list-gpu-arch failed: is this nvcc of CUDA 12.8 or newer?")
  endif()
  set(architectures "")
  set(newest "")
  foreach(architecture IN LISTS touchstone_cuda_architectures)
    if(listed MATCHES "compute_${architecture}[\r\n]")
      list(APPEND architectures "${architecture}-real")
      set(newest "${architecture}-virtual")
    endif()
  endforeach()
  set(${result} ${architectures} ${newest} PARENT_SCOPE)
endfunction()

# Finds nvcc: as the caller says, on the PATH, where NVIDIA's packages put it, or where scripts/get-cuda-toolkit does.
# Leaves `result` empty where it is not.
function(touchstone_find_nvcc result)
  if(CMAKE_CUDA_COMPILER)
    set(${result} "${CMAKE_CUDA_COMPILER}" PARENT_SCOPE)
    return()
  endif()
  find_program(
    TOUCHSTONE_NVCC nvcc
    HINTS ENV CUDACXX ENV CUDA_PATH ENV CUDA_HOME
    PATHS /usr/local/cuda "${PROJECT_SOURCE_DIR}/build/cuda-toolkit"
    PATH_SUFFIXES bin)
  mark_as_advanced(TOUCHSTONE_NVCC)
  if(TOUCHSTONE_NVCC)
    set(${result} "${TOUCHSTONE_NVCC}" PARENT_SCOPE)
  else()
    set(${result} "" PARENT_SCOPE)
  endif()
endfunction()

set(TOUCHSTONE_CUDA_ENABLED OFF)
if(NOT TOUCHSTONE_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "TOUCHSTONE_CUDA is ${TOUCHSTONE_CUDA}; it takes AUTO, ON or OFF")
elseif(NOT TOUCHSTONE_CUDA STREQUAL "OFF")
  touchstone_find_nvcc(touchstone_nvcc)
  if(touchstone_nvcc)
    set(TOUCHSTONE_CUDA_ENABLED ON)
  elseif(TOUCHSTONE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TOUCHSTONE_CUDA is ON, but nvcc is neither on the PATH nor in /usr/local/cuda/bin: install the "
                        "CUDA Toolkit, run scripts/get-cuda-toolkit, set CMAKE_CUDA_COMPILER, or configure with -DTOUCHSTONE_CUDA=OFF")
  else()
    message(STATUS "nvcc was not found: the CUDA backend is left out (the emulated device is built all the same)")
  endif()
endif()

if(TOUCHSTONE_CUDA_ENABLED)
  set(CMAKE_CUDA_COMPILER "${touchstone_nvcc}" CACHE FILEPATH "The CUDA compiler")
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    touchstone_known_architectures("${touchstone_nvcc}" touchstone_architectures)
    set(CMAKE_CUDA_ARCHITECTURES "${touchstone_architectures}" CACHE STRING "The GPU architectures that are built for")
  endif()
  if(NOT DEFINED CMAKE_CUDA_RUNTIME_LIBRARY)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  endif()
  enable_language(CUDA)
  # CMake 3.25 does not know yet that nvcc has C++20.
  if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  find_package(CUDAToolkit REQUIRED)
  message(STATUS "CUDA backend: CUDA ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
endif()
