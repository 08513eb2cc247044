# SPDX-License-Identifier: Apache-2.0
# Installs BUILD below WORK, builds and runs the example of SOURCE with what is installed there, and lets the installed
# program read the model that it saved.
set(prefix "${WORK}/prefix")
set(example "${WORK}/example")
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")

function(run)
  execute_process(
    COMMAND ${ARGV}
    WORKING_DIRECTORY "${WORK}"
    OUTPUT_VARIABLE output
    ERROR_VARIABLE errors
    RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\nended with ${status}:\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${prefix}")
run("${CMAKE_COMMAND}" -S "${SOURCE}/examples/train_mnist" -B "${example}" -G "${GENERATOR}"
    "-DCMAKE_PREFIX_PATH=${prefix}" "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}")
run("${CMAKE_COMMAND}" --build "${example}")

run("${example}/train_mnist")
if(NOT output MATCHES "^test accuracy 0\\.9[0-9]+\n$")
  message(FATAL_ERROR "the example should reach an accuracy over 0.9, and said: ${output}")
endif()

run("${prefix}/bin/touchstone" eval mnist.safetensors --json)
string(JSON count GET "${output}" count)
if(NOT count EQUAL 10000)
  message(FATAL_ERROR "the installed program should evaluate 10000 images, and said: ${output}")
endif()
