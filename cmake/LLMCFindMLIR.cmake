# LLVM, MLIR and lld 22 as Debian packages them, linked as shared libraries.
# The imported target lldELF would pull in the static LLVM next to the shared one, so its archives are
# linked by path; the llmc_mlir interface target carries everything a compiler library needs.
include_guard()

# LLVM's version files accept only an exact major.minor, so the major version is checked here.
find_package(MLIR REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
if(NOT LLVM_VERSION_MAJOR EQUAL 22)
  message(FATAL_ERROR "llmc needs LLVM and MLIR 22 but found ${LLVM_PACKAGE_VERSION} in ${MLIR_DIR}")
endif()
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
find_package(ZLIB REQUIRED)
find_package(zstd REQUIRED)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
separate_arguments(LLMC_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})

add_library(llmc_mlir INTERFACE)
target_include_directories(llmc_mlir SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
target_compile_definitions(llmc_mlir INTERFACE ${LLMC_LLVM_DEFINITIONS})
target_link_libraries(llmc_mlir INTERFACE MLIR LLVM)
# What builds IR is not what runs: -O1 compiles a quarter faster and the compiler is as quick. Release keeps its -O3.
target_compile_options(llmc_mlir INTERFACE $<$<CONFIG:RelWithDebInfo>:-O1>)

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang") # as llmc_precompile does for others
  target_compile_options(llmc_mlir INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${LLMC_PCH_OPTION}>")
endif()

add_library(llmc_lld INTERFACE)
target_link_libraries(llmc_lld INTERFACE
  ${LLVM_LIBRARY_DIR}/liblldELF.a ${LLVM_LIBRARY_DIR}/liblldCommon.a ZLIB::ZLIB zstd::libzstd_shared)

# mlir_tablegen with the include paths of this tree and of MLIR.
macro(llmc_tablegen)
  mlir_tablegen(${ARGN} EXTRA_INCLUDES ${PROJECT_SOURCE_DIR} ${MLIR_INCLUDE_DIRS})
endmacro()
