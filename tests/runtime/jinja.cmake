# Tests of the chat template interpreter.
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
