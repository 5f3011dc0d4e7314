# Writes a C++ file with the bytes of some files: cmake -DFOLDER=page -DNAMES=a.js,b.js -DOUTPUT=x.cpp -P embed.cmake
cmake_minimum_required(VERSION 3.25)
string(REPLACE "," ";" NAMES "${NAMES}")
set(arrays "")
set(table "")
set(number 0)
foreach(name ${NAMES})
  file(READ ${FOLDER}/${name} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND arrays "constexpr unsigned char file${number}[] = {${hex}0};\n")
  string(APPEND table
    "    {\"${name}\", {reinterpret_cast<const char *>(file${number}), sizeof file${number} - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT} "// Made by embed.cmake.
#include \"tools/explore/PageFiles.h\"

${arrays}
std::span<const llmc::explore::PageFile> llmc::explore::pageFiles() {
  static const PageFile files[] = {
${table}  };
  return files;
}
")
