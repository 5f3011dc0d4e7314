# llmc explore: a compiled model as a page, and sentences for what is none. Dumps are looked at in tests/explore.
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)

llmc(0 explore ${so} -o ${WORK}/report.html)
equal("${out}${err}" "")
file(READ ${WORK}/report.html page LIMIT 200)
expect("${page}" "^<!doctype html>")
llmc(0 explore ${so} -o ${WORK}/again.html)
file(SHA256 ${WORK}/report.html first)
file(SHA256 ${WORK}/again.html second)
equal("${first}" "${second}")

# failure(PATTERN ARGUMENTS...): exit 1 with a sentence that says this, and no page.
function(failure pattern)
  file(REMOVE ${WORK}/none.html)
  llmc(1 explore ${ARGN} -o ${WORK}/none.html)
  expect("${err}" "^llmc: error: ${pattern}[^\n]*\n$")
  if(EXISTS ${WORK}/none.html)
    message(SEND_ERROR "a page was written")
  endif()
endfunction()

failure("${WORK}/nothing: cannot open" ${WORK}/nothing)
file(MAKE_DIRECTORY ${WORK}/empty)
failure("${WORK}/empty/passes.json: no such file; a folder that llmc compile --dump-ir has written" ${WORK}/empty)
file(WRITE ${WORK}/text "hello")
failure("${WORK}/text: expected a folder of llmc compile --dump-ir or a compiled model, found something else" ${WORK}/text)
failure("[^\n]*llama-mha.gguf: expected a folder" ${FIXTURE})
string(ASCII 127 del)
file(WRITE ${WORK}/cut.so "${del}ELFabc")
failure("${WORK}/cut.so: " ${WORK}/cut.so)

failure("${WORK}/profile.json: " ${so} --profile ${WORK}/profile.json)
file(WRITE ${WORK}/profile.json "{\"machine\": {\"read_gb_s\": 1, \"f32_gops\": 1}, \"phases\": []}")
failure("${WORK}/profile.json: expected a member 'machine.int8_gops'" ${so} --profile ${WORK}/profile.json)
file(WRITE ${WORK}/profile.json "{\"machine\": {\"read_gb_s\": 1, \"f32_gops\": 1, \"int8_gops\": 2},
  \"phases\": [{\"name\": \"generation\", \"steps\": 1, \"tokens\": 1, \"seconds\": 0.1, \"dispatches\": [{\"kernel\": 3}]}]}")
failure("${WORK}/profile.json: expected 'phases.0..dispatches.0..kernel' to be a string but got 3" ${so}
  --profile ${WORK}/profile.json)

file(MAKE_DIRECTORY ${WORK}/folder)
llmc(1 explore ${so} -o ${WORK}/folder)
expect("${err}" "folder: cannot write: is a directory")
llmc(1 explore ${so} -o ${WORK}/no/where.html)
expect("${err}" "no/where.html: cannot write: No such file")
file(GLOB left ${WORK}/*.html.* ${WORK}/folder.*)
equal("${left}" "")
