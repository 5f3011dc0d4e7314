# --verify-passes.
llmc_e2e_test(gate TIMEOUT 600
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/gate.sh $<TARGET_FILE:llmc-cli> ${fixtures} ${CMAKE_CURRENT_BINARY_DIR}/gate)
set_tests_properties(e2e-gate PROPERTIES PROCESSORS 2)
# The whole sweep takes half an hour: tests/e2e/gate_sweep.sh LLMC FIXTURES FAMILIES WORKDIR all
llmc_e2e_test(gate-sweep TIMEOUT 600
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/gate_sweep.sh $<TARGET_FILE:llmc-cli> ${fixtures}
    ${CMAKE_CURRENT_BINARY_DIR}/families ${CMAKE_CURRENT_BINARY_DIR}/gate-sweep few)
llmc_e2e_test(gate-planted TIMEOUT 600
  COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/planted.sh $<TARGET_FILE:llmc-cli> ${fixtures}/llama-gqa.gguf
    ${CMAKE_CURRENT_BINARY_DIR}/gate-planted)
