# --portable-bits: logits are the same bits in all variants, in every way that tokens come, for 1 and 3 threads. Models as
# they are, and with quants that are all as large as they can be, so that activations and sums are, too: the first need
# not be near anything.
add_executable(e2e_extremes ${support}/extremes.cpp)
target_link_libraries(e2e_extremes PRIVATE llmc_formats)

# llmc_e2e_portable(<result> <source> <reference> <tolerance> [options of compile])
function(llmc_e2e_portable result source reference tolerance)
  llmc_e2e_compile(portable-${result} ${source} --portable-bits ${ARGN})
  llmc_e2e_test(portable-${result} NEEDS portable-${result}
    COMMAND e2e_logits_test ${models}/portable-${result}.so ${fixtures}/${reference}.logits --tolerance ${tolerance}
      --variants avx2,avx2-vnni,avx512 --threads 1,3 --portable)
  set_tests_properties(e2e-portable-${result} PROPERTIES PROCESSORS 2 SKIP_RETURN_CODE 77)
endfunction()

llmc_e2e_portable(mixed ${fixtures}/llama-mixed.gguf llama-mixed 0.2)
llmc_e2e_portable(q4_k_m ${fixtures}/llama-q4_k_m.gguf llama-q4_k_m 0.2)
llmc_e2e_portable(bf16 ${fixtures}/llama-bf16.gguf llama-bf16 1e-4 --activations f32)
foreach(scheme q4_0 q4_k q5_0 q6_k q8_0)
  set(extreme ${models}/extreme-${scheme}.gguf)
  llmc_e2e_test(extreme-${scheme} MAKES extreme-${scheme}
    COMMAND e2e_extremes ${fixtures}/llama-${scheme}.gguf ${extreme})
  llmc_e2e_portable(extreme-${scheme} ${extreme} llama-${scheme} 1e6)
  set_tests_properties(e2e-compile-portable-extreme-${scheme} PROPERTIES FIXTURES_REQUIRED extreme-${scheme})
endforeach()

llmc_e2e_test(portable-inspect NEEDS portable-mixed
  COMMAND $<TARGET_FILE:llmc-cli> inspect ${models}/portable-mixed.so)
set_tests_properties(e2e-portable-inspect PROPERTIES PASS_REGULAR_EXPRESSION "options.portable_bits: true")
foreach(case "amx;--cpu;avx2,amx;the variant amx does not give the same bits as others: expected some of avx512, "
    "fast;--fast;--kv=f16;logits with --fast depend on the CPU and on how many tokens a step has")
  list(GET case 0 name)
  list(SUBLIST case 1 2 options)
  list(GET case 3 words)
  llmc_e2e_test(portable-refuses-${name} COMMAND $<TARGET_FILE:llmc-cli> compile ${fixtures}/llama-q4_0.gguf
    -o ${models}/none.so --portable-bits ${options})
  set_tests_properties(e2e-portable-refuses-${name} PROPERTIES PASS_REGULAR_EXPRESSION
    "^llmc: error: --portable-bits: ${words}")
endforeach()
