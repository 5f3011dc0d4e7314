# Tests and fuzzer of the chat template interpreter.
find_package(GTest REQUIRED)

get_filename_component(llmc_jinja_root ${CMAKE_CURRENT_LIST_DIR}/../.. ABSOLUTE)
foreach(name jinja_test jinja_golden_test)
  add_executable(${name} ${CMAKE_CURRENT_LIST_DIR}/${name}.cpp)
  target_include_directories(${name} PRIVATE ${llmc_jinja_root}/runtime)
  target_link_libraries(${name} PRIVATE llmc_runtime_static GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    LLMC_CHAT_FIXTURES="${llmc_jinja_root}/tests/fixtures/chat_templates")
  add_test(NAME runtime/${name} COMMAND ${name})
endforeach()

# Templates of real models against Jinja2 itself. Skipped without Python, Jinja2 or a package index.
add_executable(render_templates ${CMAKE_CURRENT_LIST_DIR}/render_templates.cpp)
target_include_directories(render_templates PRIVATE ${llmc_jinja_root}/runtime)
target_link_libraries(render_templates PRIVATE llmc_runtime_static)
find_program(LLMC_PYTHON python3)
set(LLMC_CHAT_TEMPLATES "" CACHE PATH "folder of real chat templates; empty: pip brings some when the test runs")
if(LLMC_PYTHON)
  add_test(NAME runtime/real_chat_templates
    COMMAND ${LLMC_PYTHON} ${llmc_jinja_root}/tests/support/compare_chat_templates.py
      $<TARGET_FILE:render_templates> ${CMAKE_BINARY_DIR}/downloads ${LLMC_CHAT_TEMPLATES})
  set_tests_properties(runtime/real_chat_templates PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()

option(LLMC_FUZZ "build the libFuzzer targets (clang)" OFF)
if(LLMC_FUZZ)
  # Compiled again, because the fuzzer needs coverage in it.
  file(GLOB llmc_jinja_sources CONFIGURE_DEPENDS ${llmc_jinja_root}/runtime/jinja/*.cpp)
  list(APPEND llmc_jinja_sources ${llmc_jinja_root}/runtime/ChatTemplate.cpp)
  add_executable(fuzz_jinja ${llmc_jinja_root}/tests/fuzz/fuzz_jinja.cpp ${llmc_jinja_sources})
  target_compile_definitions(fuzz_jinja PRIVATE FMT_HEADER_ONLY)
  target_include_directories(fuzz_jinja PRIVATE ${llmc_jinja_root}/runtime)
  target_compile_options(fuzz_jinja PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -O1)
  target_link_options(fuzz_jinja PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(fuzz_jinja PRIVATE ${LLMC_UTF8PROC_ARCHIVE})
endif()
