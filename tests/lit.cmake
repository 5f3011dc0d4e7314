# lit suites: one ctest test for each folder with .mlir or .test files. lit, FileCheck and not come with LLVM.
find_program(LLMC_LIT NAMES lit llvm-lit HINTS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH REQUIRED)
foreach(tool FileCheck not)
  find_program(LLMC_${tool} ${tool} HINTS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH REQUIRED)
endforeach()

set(lit_root ${PROJECT_BINARY_DIR}/tests/lit)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lit.site.cfg.py.in ${lit_root}/lit.site.cfg.py @ONLY)

function(llmc_lit_suite folder tool)
  file(MAKE_DIRECTORY ${lit_root}/${folder})
  add_test(NAME lit-${folder} COMMAND ${LLMC_LIT} -sv -j2 ${lit_root}/${folder})
  set_tests_properties(lit-${folder} PROPERTIES LABELS lit TIMEOUT 600 PROCESSORS 2)
  if(TARGET ${tool})
    add_dependencies(check-lit ${tool})
  endif()
endfunction()

add_custom_target(check-lit
  COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${PROJECT_BINARY_DIR} -L lit --output-on-failure
  USES_TERMINAL)
llmc_lit_suite(ir llmc-opt)
llmc_lit_suite(passes llmc-opt)
if(TARGET llmc-compile)
  llmc_lit_suite(codegen llmc-compile)
  llmc_lit_suite(frontend llmc-compile)
endif()
