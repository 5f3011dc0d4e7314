//===- PageFiles.h - the files of page/ in the program ----------*- C++ -*-===//
#ifndef LLMC_TOOLS_EXPLORE_PAGEFILES_H
#define LLMC_TOOLS_EXPLORE_PAGEFILES_H

#include <span>
#include <string_view>

namespace llmc::explore {

struct PageFile {
  std::string_view name, text;
};
/// In the order in which they stand in the page. CMake makes the definition (embed.cmake).
std::span<const PageFile> pageFiles();

} // namespace llmc::explore
#endif
