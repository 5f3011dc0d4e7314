# Every optimization can be switched off by name, and all together, and the logits stay what they are. A name that is
# not one is refused with the list of those that are. One instruction set is enough here: passes know none.
set(optimizations fuse-rmsnorm-matmul fuse-swiglu fuse-qkv fuse-epilogue fuse-rope-attention)

# llmc_e2e_without(<name> <fixture> <tolerance> [options of compile])
function(llmc_e2e_without name fixture tolerance)
  llmc_e2e_compile(${name} ${fixtures}/${fixture}.gguf --cpu avx2 ${ARGN})
  llmc_e2e_test(${name} NEEDS ${name}
    COMMAND e2e_logits_test ${models}/${name}.so ${fixtures}/${fixture}.logits --variants avx2 --threads 2
      --tolerance ${tolerance})
  set_tests_properties(e2e-${name} PROPERTIES PROCESSORS 2)
endfunction()

set(all)
foreach(pass ${optimizations})
  list(APPEND all --disable-pass ${pass})
  llmc_e2e_without(without-${pass}-gqa llama-gqa 1e-4 --activations f32 --disable-pass ${pass})
  llmc_e2e_without(without-${pass}-q4_1 llama-q4_1 1e-4 --activations f32 --disable-pass ${pass})
  llmc_e2e_without(without-${pass}-q4_1-int8 llama-q4_1 0.2 --disable-pass ${pass})
endforeach()
llmc_e2e_without(without-all-gqa llama-gqa 1e-4 --activations f32 ${all})
llmc_e2e_without(without-all-q4_1 llama-q4_1 1e-4 --activations f32 ${all})
llmc_e2e_without(without-all-q4_1-int8 llama-q4_1 0.2 ${all})
foreach(name llama-gqa llama-q4_1 llama-mixed)
  llmc_e2e_without(default-kernels-${name} ${name} 1e-4 --default-kernels)
endforeach()
llmc_e2e_without(default-kernels-all-gqa llama-gqa 1e-4 --default-kernels ${all})

llmc_e2e_test(without-unknown COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/pass_names.sh $<TARGET_FILE:llmc-cli>
  ${fixtures}/deep-2.gguf ${optimizations} pack-bf16)
