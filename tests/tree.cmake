# Rules about the tree as a whole. Each check also runs on a tree that breaks the rule, where it must find the fault.

function(llmc_tree_test name script)
  add_test(NAME tree-${name} COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} ${ARGN}
    -P ${PROJECT_SOURCE_DIR}/tests/${script})
  set_tests_properties(tree-${name} PROPERTIES TIMEOUT 60)
endfunction()

# llmc_tree_fault(<name> <script> <file> <content> <what the script says>)
function(llmc_tree_fault name script file content expected)
  set(tree ${CMAKE_CURRENT_BINARY_DIR}/faulty/${name})
  file(CONFIGURE OUTPUT ${tree}/${file} CONTENT "${content}" @ONLY)
  add_test(NAME tree-${name}-finds COMMAND ${CMAKE_COMMAND} -DSOURCE=${tree} -P ${PROJECT_SOURCE_DIR}/tests/${script})
  set_tests_properties(tree-${name}-finds PROPERTIES TIMEOUT 60 PASS_REGULAR_EXPRESSION "${expected}")
endfunction()

llmc_tree_test(layers layers.cmake)
llmc_tree_fault(layers layers.cmake passes/Faulty.cpp "#include \"codegen/Pipeline.h\"\n"
  "passes/Faulty.cpp: includes codegen/Pipeline.h")

llmc_tree_test(nothing-hidden nothing_hidden.cmake -DNM=${CMAKE_NM} -DLIBRARY=$<TARGET_FILE:llmc_shared>)
llmc_tree_fault(nothing-hidden nothing_hidden.cmake runtime/Faulty.cpp "float rms_norm(float x);\n"
  "runtime/Faulty.cpp: 'rms_norm\\(' looks like a part of a model")

llmc_tree_test(complete ir/complete.cmake)
if(LLMC_COMPILER)
  llmc_tree_test(docs ir/docs.cmake -DTABLEGEN=$<TARGET_FILE:mlir-tblgen> -DINCLUDE=${MLIR_INCLUDE_DIRS}
    -DWORK=${CMAKE_CURRENT_BINARY_DIR}/docs)
endif()

llmc_tree_test(readme readme.cmake)
configure_file(e2e/model/smollm2.mlir faulty/readme/tests/e2e/model/smollm2.mlir COPYONLY)
llmc_tree_fault(readme readme.cmake README.md "```mlir\nlm.model @other {} {}\n```\n" "README.md does not show")
