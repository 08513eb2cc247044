# SPDX-License-Identifier: Apache-2.0
# The scripts that are written in Python, where there is one.
find_program(TOUCHSTONE_PYTHON python3)
mark_as_advanced(TOUCHSTONE_PYTHON)
if(TOUCHSTONE_PYTHON)
  add_test(NAME scripts.python COMMAND "${TOUCHSTONE_PYTHON}" "${CMAKE_CURRENT_LIST_DIR}/scripts_test.py")
  set_tests_properties(scripts.python PROPERTIES TIMEOUT 600)
endif()
