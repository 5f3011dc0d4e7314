# The reference of the dialects and passes, written from their descriptions: `ninja mlir-doc` fills <build>/docs.
set(LLMC_DOCS ${PROJECT_BINARY_DIR}/docs)
file(MAKE_DIRECTORY ${LLMC_DOCS})

# llmc_doc(<name>.md <file.td> <generator and its options>...): one page.
function(llmc_doc page definitions)
  add_custom_command(
    OUTPUT ${LLMC_DOCS}/${page}
    COMMAND ${MLIR_TABLEGEN_EXE} ${ARGN} -I ${PROJECT_SOURCE_DIR} -I ${MLIR_INCLUDE_DIRS}
      ${PROJECT_SOURCE_DIR}/${definitions} -o ${LLMC_DOCS}/${page} -d ${CMAKE_CURRENT_BINARY_DIR}/${page}.d
    DEPFILE ${CMAKE_CURRENT_BINARY_DIR}/${page}.d
    DEPENDS ${PROJECT_SOURCE_DIR}/${definitions}
    COMMENT "Writing ${page}"
    VERBATIM)
  list(APPEND LLMC_DOC_PAGES ${LLMC_DOCS}/${page})
  set(LLMC_DOC_PAGES ${LLMC_DOC_PAGES} PARENT_SCOPE)
endfunction()

llmc_doc(lm.md ir/LMOps.td -gen-dialect-doc -dialect=lm)
llmc_doc(passes.md passes/Passes.td -gen-pass-doc)
llmc_doc(step.md ir/StepOps.td -gen-dialect-doc -dialect=step)
add_custom_target(llmc_docs ALL DEPENDS ${LLMC_DOC_PAGES})
add_dependencies(mlir-doc llmc_docs)
