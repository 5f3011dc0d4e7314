# The model that the README shows is the file that the tests compile.
#   cmake -DSOURCE=<tree> -P readme.cmake
cmake_minimum_required(VERSION 3.25) # the policies, also for a script run by itself
file(READ ${SOURCE}/README.md readme)
file(READ ${SOURCE}/tests/e2e/model/smollm2.mlir model)
string(FIND "${readme}" "```mlir\n${model}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "README.md does not show tests/e2e/model/smollm2.mlir as it is")
endif()
