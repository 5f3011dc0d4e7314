# The folder of --dump-ir, and compiles that start from its files.

# llmc_e2e_dump(<name> <source> [options of compile])
function(llmc_e2e_dump name source)
  llmc_e2e_test(dump-${name}
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/dump.sh $<TARGET_FILE:llmc-cli> ${source}
      ${CMAKE_CURRENT_BINARY_DIR}/dump-${name} --cpu avx2 ${ARGN})
endfunction()

llmc_e2e_dump(gqa-int8 ${fixtures}/llama-gqa.gguf --quantize int8)
llmc_e2e_dump(q4_k_m ${fixtures}/llama-q4_k_m.gguf)
llmc_e2e_dump(two-caches ${fixtures}/llama-q8_0.gguf --kv f16,q8 --activations bf16)
llmc_e2e_dump(unfused ${fixtures}/llama-q4_1.gguf --disable-pass fuse-rmsnorm-matmul --disable-pass fuse-qkv
  --disable-pass fuse-rope-attention)
llmc_e2e_dump(default-kernels ${fixtures}/deep-2.gguf --default-kernels)
llmc_e2e_dump(phi3-longrope ${fixtures}/families/phi3/model.gguf --ctx 320)
llmc_e2e_dump(granite ${fixtures}/families/granite/model.gguf --quantize q4_0 --quantize "ffn_down=q8_0")
llmc_e2e_dump(hf-granite ${CMAKE_CURRENT_BINARY_DIR}/families/granite)
llmc_e2e_dump(by-hand ${CMAKE_CURRENT_SOURCE_DIR}/graph/weight-algebra.mlir)
llmc_e2e_dump(by-hand-kinds ${CMAKE_CURRENT_SOURCE_DIR}/graph/layer-kinds.mlir)

llmc_e2e_test(dump-refused COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/dump_refused.sh $<TARGET_FILE:llmc-cli> ${fixtures}
  ${CMAKE_CURRENT_BINARY_DIR}/dump-refused)
llmc_e2e_test(dump-dies COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/dump_dies.sh $<TARGET_FILE:llmc-cli>
  ${fixtures}/llama-gqa.gguf ${CMAKE_CURRENT_BINARY_DIR}/dump-dies)
