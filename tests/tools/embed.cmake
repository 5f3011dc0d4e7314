# llmc embed: what can be said without a model that keeps hidden rows; numbers of a real one: tests/e2e.
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)

llmc(1 embed ${so} -p hello --json)
expect("${err}" "keeps no hidden rows")
llmc(1 embed ${so} --tokens 4,5 --all)
expect("${err}" "keeps no hidden rows")
llmc(1 embed ${so} --tokens 70)
expect("${err}" "70")
