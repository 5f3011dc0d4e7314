# What the tests of the command line share: they run llmc and look at exit code, standard output and standard error.
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
set(ENV{XDG_CACHE_HOME} ${WORK}/xdg) # nothing goes to the user's own
set(so ${WORK}/toy.so)
set(gguf ${WORK}/toy.gguf)
execute_process(COMMAND ${MAKER} ${so} ${gguf} COMMAND_ERROR_IS_FATAL ANY)

# llmc(CODE ARGUMENTS...): runs it; sets out, err. Fails unless it exits with CODE. A failure is one sentence.
macro(llmc code)
  execute_process(COMMAND ${LLMC} ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE out ERROR_VARIABLE err
    INPUT_FILE /dev/null TIMEOUT 60)
  if(NOT "${result}" STREQUAL "${code}")
    message(SEND_ERROR "llmc ${ARGN}: exit ${result}, expected ${code}\n${out}${err}")
  endif()
  if(NOT "${code}" STREQUAL 0 AND NOT "${err}" MATCHES "^llmc: error: [^\n]+\n$")
    message(SEND_ERROR "llmc ${ARGN}: expected one sentence, found:\n${err}")
  endif()
endmacro()

function(expect text pattern)
  if(NOT text MATCHES "${pattern}")
    message(SEND_ERROR "expected: ${pattern}\nfound: ${text}")
  endif()
endfunction()

function(equal text expected)
  if(NOT text STREQUAL expected)
    message(SEND_ERROR "expected: ${expected}\nfound: ${text}")
  endif()
endfunction()
