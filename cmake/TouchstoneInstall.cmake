# SPDX-License-Identifier: Apache-2.0
include_guard()
include(CMakePackageConfigHelpers)

# What find_package(touchstone) gives: the target touchstone::touchstone, the headers, MNIST, and as static libraries
# what the public API stands on (and nothing of what only the program uses).

# Sets `libraries` to the project's libraries that `root` needs, itself included, and `packages` to the names of the
# packages whose imported targets they link.
function(touchstone_link_closure root libraries packages)
  get_property(own GLOBAL PROPERTY touchstone_libraries)
  set(found "")
  set(needed "")
  set(waiting ${root})
  while(waiting)
    list(POP_FRONT waiting library)
    list(APPEND found ${library})
    get_target_property(links ${library} LINK_LIBRARIES)
    foreach(link IN LISTS links)
      if(link IN_LIST own AND NOT link IN_LIST found AND NOT link IN_LIST waiting)
        list(APPEND waiting ${link})
      elseif(link MATCHES "^([A-Za-z0-9_]+)::")
        list(APPEND needed ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endwhile()
  list(REMOVE_DUPLICATES needed)
  set(${libraries} ${found} PARENT_SCOPE)
  set(${packages} ${needed} PARENT_SCOPE)
endfunction()

# One find_dependency a package. Imported targets are called after their package but for these.
function(touchstone_dependency_calls packages result)
  set(calls "")
  foreach(package IN LISTS packages)
    set(arguments ${package})
    if(package STREQUAL "CUDA")
      set(arguments CUDAToolkit)
    elseif(package STREQUAL "Boost")
      set(arguments "Boost COMPONENTS context")
    endif()
    string(APPEND calls "find_dependency(${arguments})\n")
  endforeach()
  set(${result} "${calls}" PARENT_SCOPE)
endfunction()

touchstone_link_closure(touchstone_train touchstone_installed touchstone_packages)
touchstone_dependency_calls("${touchstone_packages}" TOUCHSTONE_FIND_DEPENDENCIES)

add_library(touchstone_api INTERFACE)
add_library(touchstone::touchstone ALIAS touchstone_api)
target_link_libraries(touchstone_api INTERFACE ${touchstone_installed})
set_target_properties(touchstone_api PROPERTIES EXPORT_NAME touchstone)
foreach(library IN LISTS touchstone_installed)
  string(REGEX REPLACE "^touchstone_" "" name ${library})
  set_target_properties(${library} PROPERTIES EXPORT_NAME ${name})
endforeach()

set(touchstone_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/touchstone")
configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/touchstone-config.cmake.in" "${PROJECT_BINARY_DIR}/touchstone-config.cmake"
  INSTALL_DESTINATION "${touchstone_package_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/touchstone-config-version.cmake" COMPATIBILITY SameMinorVersion)

install(TARGETS touchstone_api ${touchstone_installed} EXPORT touchstone-targets)
install(
  EXPORT touchstone-targets
  NAMESPACE touchstone::
  DESTINATION "${touchstone_package_dir}")
install(
  FILES "${PROJECT_BINARY_DIR}/touchstone-config.cmake" "${PROJECT_BINARY_DIR}/touchstone-config-version.cmake"
        "${CMAKE_CURRENT_LIST_DIR}/FindLibdeflate.cmake"
  DESTINATION "${touchstone_package_dir}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/touchstone" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/data/mnist" "${PROJECT_SOURCE_DIR}/networks"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/touchstone")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/CHANGELOG.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
