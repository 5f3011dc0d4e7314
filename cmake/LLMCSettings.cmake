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
