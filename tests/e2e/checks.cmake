# What a compiled model is, beside what it computes: the bytes that a step reads, its size at two depths, its dispatches.

# These look inside the runtime: they link its objects, not the shared library.
foreach(program loads_test scaling_test)
  add_executable(e2e_${program} ${program}.cpp)
  target_include_directories(e2e_${program} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/runtime/include)
  target_link_libraries(e2e_${program} PRIVATE llmc_runtime_static)
endforeach()

# Bytes read: kernels that report their loads.
foreach(name llama-gqa llama-mixed llama-mqa llama-q4_1 llama-q8_0 tiny-chat)
  llmc_e2e_compile(${name}-loads ${fixtures}/${name}.gguf --count-loads)
  llmc_e2e_test(loads-${name} NEEDS ${name}-loads COMMAND e2e_loads_test ${models}/${name}-loads.so)
endforeach()
if(LLMC_DEMO_MODEL)
  llmc_e2e_compile(smollm2-loads ${LLMC_DEMO_MODEL} --count-loads)
  llmc_e2e_test(loads-smollm2 NEEDS smollm2-loads COMMAND e2e_loads_test ${models}/smollm2-loads.so --lengths 1,33,100)
endif()

llmc_e2e_test(scaling COMMAND e2e_scaling_test $<TARGET_FILE:llmc-cli> ${fixtures}/deep-2.gguf
  ${fixtures}/deep-80.gguf ${CMAKE_CURRENT_BINARY_DIR}/scaling)
set_tests_properties(e2e-scaling PROPERTIES RUN_SERIAL ON)

foreach(name llama-gqa llama-mha llama-mixed llama-q4_1 deep-80)
  llmc_e2e_test(structure-${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/structure.sh $<TARGET_FILE:llmc-cli> ${fixtures}/${name}.gguf)
endforeach()
if(LLMC_DEMO_MODEL)
  llmc_e2e_test(structure-smollm2
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/structure.sh $<TARGET_FILE:llmc-cli> ${LLMC_DEMO_MODEL})
endif()

llmc_e2e_test(trace COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/trace.sh $<TARGET_FILE:llmc-cli> ${fixtures}/llama-gqa.gguf
  ${fixtures}/traces/llama-gqa ${CMAKE_CURRENT_BINARY_DIR}/trace)

# Bytes counted by a profile: an output matrix of its own, and a shared one.
foreach(name llama-q4_k_m-int8 llama-mqa llama-mixed-int8)
  llmc_e2e_test(profile-bytes-${name} NEEDS ${name}
    COMMAND ${CMAKE_COMMAND} -DLLMC=$<TARGET_FILE:llmc-cli> -DMODEL=${models}/${name}.so
      -DWORK=${CMAKE_CURRENT_BINARY_DIR}/profile-bytes-${name} -P ${CMAKE_CURRENT_SOURCE_DIR}/profile_bytes.cmake)
endforeach()

llmc_e2e_test(profile-sum NEEDS llama-q4_k_m-int8
  COMMAND ${CMAKE_COMMAND} -DLLMC=$<TARGET_FILE:llmc-cli> -DMODEL=${models}/llama-q4_k_m-int8.so
    -DWORK=${CMAKE_CURRENT_BINARY_DIR}/profile-sum -P ${CMAKE_CURRENT_SOURCE_DIR}/profile_sum.cmake)

llmc_e2e_test(reduce COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/reduce.sh $<TARGET_FILE:llmc-cli>
  ${CMAKE_CURRENT_SOURCE_DIR}/graph ${fixtures} ${CMAKE_CURRENT_BINARY_DIR}/reduce)
llmc_e2e_test(bisect COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/bisect.sh $<TARGET_FILE:llmc-cli> ${fixtures}
  ${CMAKE_CURRENT_BINARY_DIR}/bisect)
