# The graph decides what a model computes, so the runtime may not know how to: cmake -DSOURCE=<tree> [-DNM=... -DLIBRARY=...]
# -P nothing_hidden.cmake. Looks for functions of a model in the runtime's sources and among all symbols of the library.
cmake_minimum_required(VERSION 3.25) # the policies, also for a script run by itself
set(words "mat_?mul|gemm|gemv|rms_?norm|layer_?norm|attention|[^a-z]rope|rotary|silu|gelu|swiglu")

file(GLOB_RECURSE sources RELATIVE ${SOURCE} ${SOURCE}/runtime/*.cpp ${SOURCE}/runtime/*.c ${SOURCE}/runtime/*.h)
if(NOT sources)
  message(SEND_ERROR "no sources found in ${SOURCE}/runtime")
endif()
foreach(file ${sources})
  file(READ ${SOURCE}/${file} text)
  string(TOLOWER "${text}" text)
  string(REGEX MATCH "(${words})[a-z0-9_]* *\\(" call "${text}")
  if(call)
    message(SEND_ERROR "${file}: '${call}' looks like a part of a model")
  endif()
endforeach()

if(LIBRARY)
  execute_process(COMMAND ${NM} ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(TOLOWER "${symbols}" symbols)
  if(NOT symbols MATCHES "llmc_session_new")
    message(SEND_ERROR "${LIBRARY}: no symbols to look at")
  endif()
  string(REGEX MATCHALL "[^\n ]*(${words})[^\n ]*" found "${symbols}")
  foreach(symbol ${found})
    message(SEND_ERROR "${LIBRARY}: holds ${symbol}")
  endforeach()
endif()
