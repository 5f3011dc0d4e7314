# The cache of compiled models: what makes an entry, who may remove it, and what a kill leaves behind.
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)

# A tree of its own, with a compiler that writes the toy model and notes that it was called; `slow` in the name of the
# source makes it take its time.
file(MAKE_DIRECTORY ${WORK}/tree/bin)
file(COPY ${LLMC} DESTINATION ${WORK}/tree/bin)
file(CREATE_LINK ${LIBRARY} ${WORK}/tree/lib SYMBOLIC)
file(WRITE ${WORK}/tree/bin/llmc-compile "#!/bin/sh
echo \"$@\" >>${WORK}/calls
case $2 in
*bad*) echo 'llmc: error: bad' >&2; exit 1 ;;
*slow*) head -c 1000 ${so} >\"$4\"; sleep 1 ;;
*hangs*) head -c 1000 ${so} >\"$4\"; sleep 30 ;;
esac
cp ${so} \"$4\"
")
file(CHMOD ${WORK}/tree/bin/llmc-compile PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
set(ENV{XDG_CACHE_HOME} ${WORK}/cache)
set(ENV{TMPDIR} ${WORK})
set(LLMC ${WORK}/tree/bin/llmc)
set(folder ${WORK}/cache/llmc)

# calls(N): how often the compiler was called.
function(calls expected)
  file(STRINGS ${WORK}/calls calls)
  list(LENGTH calls n)
  equal("${n} calls" "${expected} calls")
  set(calls ${calls} PARENT_SCOPE)
endfunction()
function(entries expected)
  file(GLOB entries RELATIVE ${folder} ${folder}/*)
  list(REMOVE_ITEM entries hashes)
  list(LENGTH entries n)
  equal("${n} (${entries})" "${expected} (${entries})")
endfunction()

llmc(0 run ${gguf} --tokens 4,5 -n 3)
expect("${err}" "^llmc: compiling ${gguf} to ${folder}/toy-[0-9a-f]+\\.so\n")
calls(1)
expect("${calls}" "^compile ${gguf} -o ${folder}/")
llmc(0 run ${gguf} --tokens 4,5 -n 3)
equal("${err}" "")
llmc(0 logits ${gguf} --tokens 4,5 -v)
expect("${err}" "^llmc: using ${folder}/toy-")
calls(1)

# The same bytes are the same entry, wherever they are and however old; other bytes are another.
execute_process(COMMAND touch -d 2001-01-01 ${gguf})
llmc(0 run ${gguf} --tokens 4,5 -n 3)
calls(1)
file(MAKE_DIRECTORY ${WORK}/elsewhere)
file(COPY_FILE ${gguf} ${WORK}/elsewhere/toy.gguf)
llmc(0 run ${WORK}/elsewhere/toy.gguf --tokens 4,5 -n 3)
calls(1)
file(APPEND ${WORK}/elsewhere/toy.gguf "\n")
llmc(0 run ${WORK}/elsewhere/toy.gguf --tokens 4,5 -n 3)
calls(2)
entries(2)
# So is another compiler, and another storage of the cache.
file(APPEND ${WORK}/tree/bin/llmc-compile "# another\n")
llmc(0 run ${gguf} --tokens 4,5 -n 3)
calls(3)
execute_process(COMMAND ${LLMC} plan ${gguf} --kv q8 OUTPUT_QUIET ERROR_QUIET)
calls(4)
list(GET calls -1 last)
expect("${last}" "--kv q8$")

# What a model.mlir names belongs to it, and so do the files of a directory and of a split file.
file(WRITE ${WORK}/model.mlir "lm.weights \"toy.gguf\"\n")
file(MAKE_DIRECTORY ${WORK}/directory)
file(WRITE ${WORK}/directory/config.json "{}")
file(COPY_FILE ${gguf} ${WORK}/split-00001-of-00002.gguf)
file(COPY_FILE ${gguf} ${WORK}/split-00002-of-00002.gguf)
set(n 4)
foreach(case "model.mlir;toy.gguf" "directory/;directory/config.json" "split-00001-of-00002.gguf;split-00002-of-00002.gguf")
  list(GET case 0 source)
  list(GET case 1 part)
  foreach(turn 1 2)
    math(EXPR n "${n} + 1")
    llmc(0 run ${WORK}/${source} --tokens 4,5 -n 3)
    calls(${n})
    llmc(0 run ${WORK}/${source} --tokens 4,5 -n 3)
    calls(${n})
    file(APPEND ${WORK}/${part} " ")
  endforeach()
endforeach()

# So do the shards behind an index that it names, and what stands beside a tokenizer.
cmake_path(GET FIXTURE PARENT_PATH fixtures)
file(MAKE_DIRECTORY ${WORK}/named/additional_chat_templates)
foreach(i 1 2 3)
  file(COPY_FILE ${fixtures}/hf/llama-f16/model-0000${i}-of-00003.safetensors
    ${WORK}/named/model-0000${i}-of-00003.safetensors)
endforeach()
file(COPY_FILE ${fixtures}/hf/llama-f16/model.safetensors.index.json ${WORK}/named/model.safetensors.index.json)
foreach(name tokenizer.json tokenizer_config.json special_tokens_map.json config.json generation_config.json
    chat_template.json)
  file(WRITE ${WORK}/named/${name} "{}")
endforeach()
file(WRITE ${WORK}/named/chat_template.jinja "a")
file(WRITE ${WORK}/named/additional_chat_templates/tool_use.jinja "b")
file(WRITE ${WORK}/named.mlir "lm.weights \"named/model.safetensors.index.json\" lm.tokenizer \"named/tokenizer.json\"\n")
math(EXPR n "${n} + 1")
llmc(0 run ${WORK}/named.mlir --tokens 4,5 -n 3)
calls(${n})
foreach(name model-00003-of-00003.safetensors model.safetensors.index.json tokenizer.json tokenizer_config.json
    special_tokens_map.json config.json generation_config.json chat_template.json chat_template.jinja
    additional_chat_templates/tool_use.jinja)
  execute_process(COMMAND touch -d 2001-01-01 ${WORK}/named/${name}) # the same bytes
  llmc(0 run ${WORK}/named.mlir --tokens 4,5 -n 3)
  calls(${n})
  file(APPEND ${WORK}/named/${name} " ")
  math(EXPR n "${n} + 1")
  llmc(0 run ${WORK}/named.mlir --tokens 4,5 -n 3)
  calls(${n})
endforeach()

# Without the cache nothing is kept.
file(REMOVE_RECURSE ${folder})
file(REMOVE ${WORK}/calls)
execute_process(COMMAND ${MAKER} ${so} ${gguf} COMMAND_ERROR_IS_FATAL ANY)
llmc(0 run ${gguf} --tokens 4,5 -n 3 --no-cache)
calls(1)
file(GLOB left ${folder} ${WORK}/llmc-*)
equal("${left}" "")

# An old entry goes when the folder is too large, but not while somebody has it; nor does the one just made.
llmc(0 run ${gguf} --tokens 4,5 -n 3)
execute_process(COMMAND truncate -s 20G ${folder}/old.so ${folder}/held.so) # sparse
execute_process(COMMAND touch -d 2001-01-01 ${folder}/old.so ${folder}/held.so)
file(WRITE ${WORK}/other.gguf "GGUF other")
find_program(flock flock)
set(hold)
if(flock)
  set(hold ${flock} -s ${folder}/held.so)
endif()
execute_process(COMMAND ${hold} ${LLMC} run ${WORK}/other.gguf --tokens 4,5 -n 3 COMMAND_ERROR_IS_FATAL ANY OUTPUT_QUIET
  ERROR_QUIET)
file(GLOB left RELATIVE ${folder} ${folder}/*.so)
list(JOIN left " " left)
if(flock)
  expect("${left}" "^held.so other-[0-9a-f]+.so$")
else()
  expect("${left}" "^other-[0-9a-f]+.so toy-[0-9a-f]+.so$")
endif()
file(REMOVE ${folder}/held.so)
set(ENV{LLMC_CACHE_BYTES} 10)
file(WRITE ${WORK}/other.gguf "GGUF another")
llmc(0 run ${WORK}/other.gguf --tokens 4,5 -n 3)
entries(1)
set(ENV{LLMC_CACHE_BYTES} much)
file(WRITE ${WORK}/other.gguf "GGUF and another")
execute_process(COMMAND ${LLMC} run ${WORK}/other.gguf --tokens 4 -n 3 RESULT_VARIABLE result ERROR_VARIABLE err)
expect("${err}" "LLMC_CACHE_BYTES: expected a number of bytes, but found 'much'")
unset(ENV{LLMC_CACHE_BYTES})

# A damaged entry, as a power cut leaves it, is made again.
file(GLOB entry ${folder}/other-*.so)
list(GET entry 0 entry)
file(REMOVE ${WORK}/calls)
llmc(0 run ${gguf} --tokens 4,5 -n 3)
file(GLOB entry ${folder}/toy-*.so)
execute_process(COMMAND truncate -s 100 ${entry})
llmc(0 run ${gguf} --tokens 4,5 -n 3)
calls(2)

# The compiler's failure is its own sentence, and nothing is left behind.
file(REMOVE_RECURSE ${folder})
file(COPY_FILE ${gguf} ${WORK}/bad.gguf)
execute_process(COMMAND ${LLMC} run ${WORK}/bad.gguf --tokens 4 RESULT_VARIABLE result ERROR_VARIABLE err)
equal(${result} 1)
expect("${err}" "\nllmc: error: bad\n$")
entries(0)

# Eight at once: one compiles, the others wait for it.
file(REMOVE ${WORK}/calls)
file(COPY_FILE ${gguf} ${WORK}/slow.gguf)
execute_process(COMMAND sh -c "for i in 1 2 3 4 5 6 7 8; do
  '${LLMC}' run ${WORK}/slow.gguf --tokens 4,5 -n 3 --json >${WORK}/out.$i 2>${WORK}/err.$i || echo failed >>${WORK}/failed &
done; wait")
calls(1)
foreach(i 1 2 3 4 5 6 7 8)
  file(READ ${WORK}/out.${i} out)
  string(JSON n LENGTH "${out}" tokens)
  equal(${n} 3)
endforeach()
if(EXISTS ${WORK}/failed)
  message(SEND_ERROR "one of eight failed")
endif()
entries(1)

# Killed in the middle: the next one makes the entry, and sweeps up. Interrupted: nothing is left at all.
file(COPY_FILE ${gguf} ${WORK}/hangs.gguf)
execute_process(COMMAND timeout -s KILL 1 ${LLMC} run ${WORK}/hangs.gguf --tokens 4 -n 3 OUTPUT_QUIET ERROR_QUIET)
file(GLOB left ${folder}/hangs-*.so)
equal("${left}" "")
file(GLOB left ${folder}/hangs-*.part)
list(LENGTH left n)
equal("${n} folders" "1 folders")
file(APPEND ${gguf} " ")
foreach(try RANGE 50) # the compiler is told to go, too; it holds the lock until it does
  execute_process(COMMAND ${LLMC} run ${gguf} --tokens 4,5 -n 3 --no-cache OUTPUT_QUIET ERROR_QUIET)
  file(APPEND ${gguf} " ")
  llmc(0 run ${gguf} --tokens 4,5 -n 3)
  file(GLOB left ${folder}/hangs-*)
  if(NOT left)
    break()
  endif()
endforeach()
equal("${left}" "")
execute_process(COMMAND timeout -s INT 1 ${LLMC} run ${WORK}/hangs.gguf --tokens 4 -n 3 RESULT_VARIABLE result
  OUTPUT_QUIET ERROR_VARIABLE err)
expect("${err}" "\nllmc: error: interrupted\n$")
file(GLOB left ${folder}/hangs-*)
equal("${left}" "")

# All arguments of import and compile go through as they are.
llmc(0 import "b c" --dest ${WORK}/imported --help)
file(STRINGS ${WORK}/calls calls)
list(GET calls -1 last)
equal("${last}" "import b c --dest ${WORK}/imported --help")
file(REMOVE ${WORK}/tree/bin/llmc-compile)
llmc(1 compile ${gguf} -o x.so)
expect("${err}" "no compiler: ")
