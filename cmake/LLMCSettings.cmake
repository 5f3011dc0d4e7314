# Language, build type, warnings, sanitizers, linker and compiler cache: the same for every target of the tree.
include_guard()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(LLMC_SANITIZE "" CACHE STRING "sanitizers for all targets, e.g. address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)

find_program(LLMC_CCACHE ccache)
if(LLMC_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${LLMC_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${LLMC_CCACHE})
endif()

add_compile_options(-Wall -Wextra)
find_program(LLMC_LLD ld.lld-22)
if(LLMC_LLD AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_link_options(--ld-path=${LLMC_LLD})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  add_compile_options(-g1) # lines for backtraces; full debug information triples the link
endif()
if(LLMC_SANITIZE)
  add_compile_options(-fsanitize=${LLMC_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${LLMC_SANITIZE})
endif()

# Headers of MLIR, of fmt, json or gtest cost a file more than its own code does: read once, with their templates, they
# are two to three times as quick. A target that is compiled as `owner` is shares the owner's.
# What nearly every file of ours without MLIR includes.
set(LLMC_STANDARD_HEADERS <algorithm> <array> <charconv> <cstring> <functional> <map> <memory> <mutex> <optional> <span>
  <string> <string_view> <unordered_map> <vector>)
set(LLMC_PCH_OPTION "SHELL:-Xclang -fno-pch-timestamp") # times inside would keep ccache from finding it again
function(llmc_precompile target)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    return()
  endif()
  cmake_parse_arguments(ARG "WITHOUT_MLIR" "OWNER" "HEADERS" ${ARGN})
  if(ARG_WITHOUT_MLIR)
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${LLMC_PCH_OPTION}>")
  endif()
  if(NOT ARG_OWNER)
    target_precompile_headers(${target} PRIVATE ${ARG_HEADERS})
    return()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${ARG_OWNER})
  get_target_property(type ${target} TYPE)
  get_target_property(owner_type ${ARG_OWNER} TYPE)
  if(type STREQUAL "EXECUTABLE" AND NOT owner_type STREQUAL "EXECUTABLE") # code of a library, as the owner's headers are
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
endfunction()
