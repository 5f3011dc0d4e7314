# Activations in half the bits, hidden rows, and how the cache is stored.

# Activations in half the bits: each is rounded once before a matmul, by up to 2^-12 of it in f16 and 2^-9 in bf16.
# That moves these logits by up to 0.0054 and 0.043 std; as much again is for another order of the same roundings.
foreach(name llama-gqa llama-mixed)
  foreach(case "f16 1e-2" "bf16 8e-2")
    separate_arguments(case)
    list(GET case 0 type)
    list(GET case 1 tolerance)
    llmc_e2e_compile(${name}-${type} ${fixtures}/${name}.gguf --activations ${type} --kv f32)
    llmc_e2e_logits(${name}-${type} ${name} --tolerance ${tolerance})
  endforeach()
endforeach()

# The hidden rows of an asked token, tied and untied; they cost nothing in steps that do not ask for them.
llmc_e2e_test(hidden-untied NEEDS llama-gqa
  COMMAND e2e_hidden_test ${models}/llama-gqa.so ${fixtures}/llama-gqa.gguf output.weight)
llmc_e2e_test(hidden-tied NEEDS llama-mqa
  COMMAND e2e_hidden_test ${models}/llama-mqa.so ${fixtures}/llama-mqa.gguf token_embd.weight)

# Storage types of the cache, all in one file; a session chooses. The reference has its cache in float32: the rest is what
# rounding keys and values once does to these logits: f16 has 11 bits, bf16 8; q8 rounds to 1/254 of the largest of a
# group, several times what bf16 does to an average one (0.057 std was seen).
llmc_e2e_compile(llama-kv ${fixtures}/llama-gqa.gguf --activations f32 --kv f32,f16,bf16,q8)
llmc_e2e_compile(llama-kv-default ${fixtures}/llama-gqa.gguf --default-kernels --kv q8,bf16)
foreach(case "llama-kv f32 1e-4" "llama-kv f16 3e-3" "llama-kv bf16 3e-2" "llama-kv q8 1e-1"
    "llama-kv-default bf16 3e-2" "llama-kv-default q8 1e-1")
  separate_arguments(case)
  list(GET case 0 model)
  list(GET case 1 type)
  list(GET case 2 tolerance)
  llmc_e2e_test(logits-${model}-${type} NEEDS ${model}
    COMMAND e2e_logits_test ${models}/${model}.so ${fixtures}/llama-gqa.logits --kv ${type} --tolerance ${tolerance})
endforeach()
llmc_e2e_test(session-llama-kv NEEDS llama-kv COMMAND e2e_session_test ${models}/llama-kv.so)
set_tests_properties(e2e-session-llama-kv PROPERTIES PROCESSORS 2
  PASS_REGULAR_EXPRESSION "saved sequences: 4 storage types\nok")
llmc_e2e_test(kv-not-compiled NEEDS llama-gqa
  COMMAND $<TARGET_FILE:llmc-cli> logits ${models}/llama-gqa.so --tokens 1,2 --kv q8)
set_tests_properties(e2e-kv-not-compiled PROPERTIES PASS_REGULAR_EXPRESSION
  "--kv q8: the model was compiled for a cache in f32; with llmc compile --kv f32,q8 it takes that, too")
llmc_e2e_test(kv-unknown COMMAND $<TARGET_FILE:llmc-cli> compile ${fixtures}/llama-gqa.gguf -o ${models}/none.so --kv f32,f8)
set_tests_properties(e2e-kv-unknown PROPERTIES PASS_REGULAR_EXPRESSION
  "--kv: expected some of auto,f32,f16,bf16,q8 but got 'f8'")
