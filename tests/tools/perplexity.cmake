# llmc perplexity: windows, and the comparison with saved logits. Numbers of a real model: tests/e2e.
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)

set(ids 4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23)
file(WRITE ${WORK}/tokens ${ids})
llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens --json)
equal("${err}" "")
set(whole "${out}")
string(JSON n LENGTH "${out}" nll)
equal(${n} 19) # nothing precedes the first
string(JSON perplexity GET "${out}" perplexity)

# The same ids in other spellings, and however they are split into steps.
file(WRITE ${WORK}/json "{\"tokens\":[${ids}]}\n")
string(REPLACE "," "\n" lines "${ids}")
file(WRITE ${WORK}/lines "${lines}\n")
llmc(0 perplexity ${so} --tokens-file ${WORK}/json --json --batch 3)
equal("${out}" "${whole}")
llmc(0 perplexity ${so} --tokens-file ${WORK}/lines --json --batch 1)
equal("${out}" "${whole}")
execute_process(COMMAND ${LLMC} perplexity ${so} --tokens-file - --json INPUT_FILE ${WORK}/json OUTPUT_VARIABLE out)
equal("${out}" "${whole}")
llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens)
expect("${out}" "^perplexity [0-9.]+ [+]- [0-9.]+ over 19 tokens in 1 window\n$")

# How many tokens windows score: 8 that follow each other leave out the first of each, a stride none but the first.
foreach(case "8;8;0;17" "8;4;0;19" "8;8;4;8" "8;8;5;6" "20;20;0;19" "100;100;0;19" "8;3;2;18")
  list(GET case 0 ctx)
  list(GET case 1 stride)
  list(GET case 2 skip)
  list(GET case 3 expected)
  llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens --ctx ${ctx} --stride ${stride} --skip ${skip} --json)
  string(JSON n LENGTH "${out}" nll)
  equal("${ctx} ${stride} ${skip}: ${n}" "${ctx} ${stride} ${skip}: ${expected}")
endforeach()

# A later window is a text of its own: the same numbers as that text alone.
file(WRITE ${WORK}/second 12,13,14,15,16,17,18,19)
llmc(0 perplexity ${so} --tokens-file ${WORK}/second --json)
string(JSON alone GET "${out}" nll 6)
llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens --ctx 8 --json)
string(JSON there GET "${out}" nll 13)
equal(${there} ${alone})

# A text; special tokens in it are text.
file(WRITE ${WORK}/text "he had a hat<|im_end|>")
llmc(0 tokenize ${so} --file ${WORK}/text --plain --json)
string(JSON tokens LENGTH "${out}" tokens)
llmc(0 perplexity ${so} --file ${WORK}/text --json)
string(JSON n LENGTH "${out}" nll)
math(EXPR expected "${tokens} - 1")
equal(${n} ${expected})

# Saved logits: of itself the divergence is 0, of another text it is refused.
llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens --save-logits ${WORK}/base --json)
equal("${out}" "${whole}")
file(SIZE ${WORK}/base size)
math(EXPR expected "40 + 19 * 64 * 4")
equal(${size} ${expected})
llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens --kl ${WORK}/base --json)
string(JSON kl GET "${out}" kl)
equal(${kl} 0)
string(JSON same GET "${out}" same_top)
equal(${same} 1)
llmc(0 perplexity ${so} --tokens-file ${WORK}/tokens --kl ${WORK}/base)
expect("${out}" "KL\\(saved [|][|] this\\) 0, .*same likeliest token 100.00 %")
llmc(1 perplexity ${so} --tokens-file ${WORK}/second --kl ${WORK}/base)
expect("${err}" "${WORK}/base: of another text")
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --kl ${WORK}/base --ctx 8)
expect("${err}" "${WORK}/base: of other windows")
execute_process(COMMAND head -c 1000 ${WORK}/base OUTPUT_FILE ${WORK}/cut)
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --kl ${WORK}/cut)
expect("${err}" "${WORK}/cut: 1000 bytes, expected 4904")
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --kl ${WORK}/text)
expect("${err}" "${WORK}/text: not a file of --save-logits")
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --kl ${WORK}/missing)
expect("${err}" "${WORK}/missing: cannot open")
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --save-logits ${WORK}/missing/file)
expect("${err}" "${WORK}/missing/file: cannot write")
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --save-logits ${WORK})
expect("${err}" "${WORK}: is there and not a regular file")

# Texts that cannot be.
foreach(case "1;leaves nothing to predict" "1,2,x;found 'x'" "1,-2;found '-2'" "1,70,2;70" "1,2,70;token 2 is 70"
    "1,99999999999;found '99999999999'")
  list(GET case 0 ids)
  list(GET case 1 sentence)
  file(WRITE ${WORK}/bad "${ids}")
  llmc(1 perplexity ${so} --tokens-file ${WORK}/bad)
  expect("${err}" "${sentence}")
endforeach()
file(WRITE ${WORK}/bad "[1,2] 3")
llmc(1 perplexity ${so} --tokens-file ${WORK}/bad)
expect("${err}" "expected the end after 2 token ids, but found '3'")
file(WRITE ${WORK}/bad "")
llmc(1 perplexity ${so} --tokens-file ${WORK}/bad)
llmc(1 perplexity ${so} --file ${WORK}/bad)
llmc(1 perplexity ${so} --tokens-file ${WORK}/tokens --skip 20)
expect("${err}" "--skip 20 leaves nothing")
llmc(1 perplexity ${so} --file ${WORK}/missing)
expect("${err}" "${WORK}/missing: cannot open")

# Ctrl-C in the middle, when the file of logits has begun: it is removed. Token 63 makes the toy slow.
string(REPEAT "63," 60000 slow)
file(WRITE ${WORK}/slow "${slow}1")
file(WRITE ${WORK}/interrupt.sh [=[
"$1" perplexity "$2" --tokens-file "$3/slow" --batch 1 --save-logits "$3/unfinished" &
for i in $(seq 600); do
  ls "$3"/unfinished* >"$3/begun" 2>/dev/null && break
  sleep 0.1
done
kill -INT $!
wait $!
]=])
execute_process(COMMAND timeout 120 sh ${WORK}/interrupt.sh ${LLMC} ${so} ${WORK} RESULT_VARIABLE result
  OUTPUT_VARIABLE out ERROR_VARIABLE err)
equal("${result}" 1)
expect("${err}" "\nllmc: error: interrupted\n$")
file(READ ${WORK}/begun begun)
expect("${begun}" "unfinished")
file(GLOB left ${WORK}/unfinished*)
equal("${left}" "")
