# Tests and fuzzer of the chat template interpreter; they build without the rest of the runtime.
find_package(GTest REQUIRED)
find_library(LLMC_UTF8PROC_LIBRARY NAMES libutf8proc.a utf8proc REQUIRED)

get_filename_component(llmc_jinja_root ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
set(llmc_jinja_sources
  ${llmc_jinja_root}/runtime/ChatTemplate.cpp
  ${llmc_jinja_root}/runtime/jinja/Builtins.cpp
  ${llmc_jinja_root}/runtime/jinja/Evaluator.cpp
  ${llmc_jinja_root}/runtime/jinja/ExpressionParser.cpp
  ${llmc_jinja_root}/runtime/jinja/Format.cpp
  ${llmc_jinja_root}/runtime/jinja/Json.cpp
  ${llmc_jinja_root}/runtime/jinja/Lexer.cpp
  ${llmc_jinja_root}/runtime/jinja/Methods.cpp
  ${llmc_jinja_root}/runtime/jinja/Operators.cpp
  ${llmc_jinja_root}/runtime/jinja/Parser.cpp
  ${llmc_jinja_root}/runtime/jinja/Print.cpp
  ${llmc_jinja_root}/runtime/jinja/SequenceFilters.cpp
  ${llmc_jinja_root}/runtime/jinja/Text.cpp
  ${llmc_jinja_root}/runtime/jinja/TextFilters.cpp
  ${llmc_jinja_root}/runtime/jinja/Value.cpp
)

add_library(llmc-test-jinja STATIC ${llmc_jinja_sources})
target_compile_definitions(llmc-test-jinja PRIVATE FMT_HEADER_ONLY)
target_include_directories(llmc-test-jinja PUBLIC ${llmc_jinja_root}/runtime)
target_link_libraries(llmc-test-jinja PUBLIC ${LLMC_UTF8PROC_LIBRARY})

foreach(name jinja_test jinja_golden_test)
  add_executable(${name} ${CMAKE_CURRENT_LIST_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE llmc-test-jinja GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    LLMC_CHAT_FIXTURES="${llmc_jinja_root}/tests/fixtures/chat_templates")
  add_test(NAME runtime/${name} COMMAND ${name})
endforeach()

option(LLMC_FUZZ "build the libFuzzer targets (clang)" OFF)
if(LLMC_FUZZ)
  add_executable(fuzz_jinja ${llmc_jinja_root}/tests/fuzz/fuzz_jinja.cpp ${llmc_jinja_sources})
  target_compile_definitions(fuzz_jinja PRIVATE FMT_HEADER_ONLY)
  target_include_directories(fuzz_jinja PRIVATE ${llmc_jinja_root}/runtime)
  target_compile_options(fuzz_jinja PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -O1)
  target_link_options(fuzz_jinja PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_jinja PRIVATE ${LLMC_UTF8PROC_LIBRARY})
endif()
