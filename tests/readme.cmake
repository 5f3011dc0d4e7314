# The model that the README shows is the file that the tests compile.
#   cmake -DSOURCE=<tree> -P readme.cmake
file(READ ${SOURCE}/README.md readme)
file(READ ${SOURCE}/tests/e2e/model/smollm2.mlir model)
string(FIND "${readme}" "```mlir\n${model}```" place)
if(place EQUAL -1)
  message(FATAL_ERROR "README.md does not show tests/e2e/model/smollm2.mlir as it is")
endif()
