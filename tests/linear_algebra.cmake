# SPDX-License-Identifier: Apache-2.0
if(TOUCHSTONE_HAS_LAPACK)
  touchstone_test(principal_components_test LINKS touchstone_linear_algebra touchstone_data)
endif()
