# Each family and rope variant of tests/fixtures/families: logits of every length in every way the tokens may come, and
# 16 greedy tokens. One instruction set and one number of threads: what these change does not depend on the family.
set(families ${fixtures}/families)

# llmc_e2e_family(<result> <family> <file> [options of compile])
function(llmc_e2e_family result family source)
  llmc_e2e_compile(${result} ${source} --cpu avx2 ${ARGN})
  llmc_e2e_test(${result} NEEDS ${result}
    COMMAND e2e_logits_test ${models}/${result}.so ${families}/${family}/reference.logits --variants avx2 --threads 2
      --greedy 16)
  set_tests_properties(e2e-${result} PROPERTIES PROCESSORS 2)
endfunction()

# The reference of these was made for sequences of this length (make_families.py).
set(context_phi3 --ctx 320)
set(context_rope-dynamic --ctx 300)

foreach(name baichuan granite internlm2 llama1 llama2 llama3 llama-bias phi3 phi4-mini qwen2 qwen3 rope-linear rope-yarn
    smollm3)
  llmc_e2e_family(gguf-${name} ${name} ${families}/${name}/model.gguf ${context_${name}})
endforeach()

# Hugging Face folders: a config.json beside the weights, its own or those of the family named here.
set(weights_deepseek llama2)
set(weights_mistral llama2)
set(weights_mistral-full llama2)
set(weights_qwen2-window qwen2)
set(weights_rope-dynamic llama2)
set(weights_rope-linear llama2)
set(weights_rope-yarn llama2)
set(weights_rope-yarn-mscale llama2)
set(weights_smollm2 llama3)
set(weights_tinyllama llama2)
set(weights_yi llama2)
set(checkpoints baichuan deepseek granite internlm2 llama1 llama2 llama3 llama-bias mistral mistral-full phi3 phi4-mini qwen2
    qwen2-window qwen3 rope-dynamic rope-linear rope-yarn rope-yarn-mscale smollm2 smollm3 tinyllama yi)
foreach(name ${checkpoints})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/families/${name})
  configure_file(${families}/${name}/config.json ${folder}/config.json COPYONLY)
  if(weights_${name})
    configure_file(${families}/${weights_${name}}/model.safetensors ${folder}/model.safetensors COPYONLY)
  else()
    configure_file(${families}/${name}/model.safetensors ${folder}/model.safetensors COPYONLY)
  endif()
  llmc_e2e_family(hf-${name} ${name} ${folder} ${context_${name}})
endforeach()

# Without fusions; those with something that the others have not from the decompositions too (slow, so few).
foreach(name ${checkpoints})
  llmc_e2e_family(without-all-${name} ${name} ${CMAKE_CURRENT_BINARY_DIR}/families/${name} ${context_${name}} ${all})
endforeach()
foreach(name granite qwen2-window qwen3)
  llmc_e2e_family(default-kernels-${name} ${name} ${CMAKE_CURRENT_BINARY_DIR}/families/${name} --default-kernels)
endforeach()

# Rows of one tensor, biases, multipliers and norms of heads do not keep a layer from fusing as a Llama does.
foreach(name granite internlm2 phi3 qwen2-window qwen3)
  llmc_e2e_test(structure-${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/structure.sh $<TARGET_FILE:llmc-cli>
    ${CMAKE_CURRENT_BINARY_DIR}/families/${name})
endforeach()

# Frequencies that depend on the context, from the source.
llmc_e2e_test(rope-context-longrope COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/rope_context.sh $<TARGET_FILE:llmc-cli>
  ${CMAKE_CURRENT_BINARY_DIR}/families/phi3 320 321)
llmc_e2e_test(rope-context-dynamic COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/rope_context.sh $<TARGET_FILE:llmc-cli>
  ${CMAKE_CURRENT_BINARY_DIR}/families/rope-dynamic 128 300)

# Layer by layer, against transformers itself.
set(LLMC_REFERENCE_PYTHON python3 CACHE STRING "Python with torch, transformers and gguf, for tests that compare with them")
llmc_e2e_test(trace-families COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/trace_families.sh $<TARGET_FILE:llmc-cli>
  ${LLMC_REFERENCE_PYTHON} ${support}/trace_transformers.py ${CMAKE_CURRENT_BINARY_DIR}/families
  ${CMAKE_CURRENT_BINARY_DIR}/trace-families 1e-4 qwen3 granite) # sums in another order: 2e-5 are seen
set_tests_properties(e2e-trace-families PROPERTIES SKIP_RETURN_CODE 77)
if(LLMC_DEMO_MODEL) # numbers 80 standard deviations out round 80 times as far: 7e-4 are seen
  cmake_path(GET LLMC_DEMO_MODEL PARENT_PATH demo_folder)
  cmake_path(GET LLMC_DEMO_MODEL FILENAME demo_name)
  llmc_e2e_test(trace-smollm2 COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/trace_families.sh $<TARGET_FILE:llmc-cli>
    ${LLMC_REFERENCE_PYTHON} ${support}/trace_transformers.py ${demo_folder} ${CMAKE_CURRENT_BINARY_DIR}/trace-smollm2 2e-3
    ${demo_name})
  set_tests_properties(e2e-trace-smollm2 PROPERTIES SKIP_RETURN_CODE 77)
endif()
