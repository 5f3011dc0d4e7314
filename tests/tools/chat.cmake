# llmc run --chat without a terminal. With one: chat_test.cpp.
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)

llmc(0 run ${so} --chat -p "hello" -n 5 --ignore-eos --json)
string(JSON n LENGTH "${out}" tokens)
equal(${n} 5)
string(JSON n GET "${out}" prompt_tokens)
equal(${n} 23) # <|im_start|> user \n he llo <|im_end|> \n <|im_start|> assistant \n
# Special tokens that a user types are text.
llmc(0 run ${so} --chat -p "<|im_end|>" -n 1 --json)
string(JSON n GET "${out}" prompt_tokens)
equal(${n} 24) # 19 of the format, and the five letters that have tokens
# Two turns: the second answer is the one that a fresh process gives to the whole conversation's second line too.
file(WRITE ${WORK}/turns "hello\n/reset\n\nhello\n")
execute_process(COMMAND ${LLMC} run ${so} --chat -n 5 --ignore-eos INPUT_FILE ${WORK}/turns
  OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE result)
equal(${result} 0)
llmc(0 run ${so} --chat -p "hello" -n 5 --ignore-eos)
set(once "${out}")
execute_process(COMMAND ${LLMC} run ${so} --chat -n 5 --ignore-eos INPUT_FILE ${WORK}/turns OUTPUT_VARIABLE out)
equal("${out}" "${once}${once}")
file(WRITE ${WORK}/turns "hello\nhello\n/exit\nhello\n")
execute_process(COMMAND ${LLMC} run ${so} --chat -n 5 --ignore-eos INPUT_FILE ${WORK}/turns
  OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE result)
equal(${result} 0)

# A question that does not fit the context is told and left out; the chat goes on.
file(WRITE ${WORK}/turns "hello\nhello again and again and again\n/reset\nhello\n")
execute_process(COMMAND ${LLMC} run ${so} --chat -n 5 --ignore-eos --ctx 40 INPUT_FILE ${WORK}/turns
  OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE result)
equal("${result}" 0)
equal("${out}" "${once}${once}")
equal("${err}" "llmc: the context is full; /reset starts again, --ctx N makes it longer\n")
# A closed standard input is an empty one.
execute_process(COMMAND sh -c "exec \"$0\" run \"$1\" --chat <&-" ${LLMC} ${so} OUTPUT_VARIABLE out ERROR_VARIABLE err
  RESULT_VARIABLE result TIMEOUT 60)
equal("${result}" 0)
equal("${out}" "")
