//===- NewFile.h - results under a name of their own ------------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_NEWFILE_H
#define LLMC_FRONTEND_FORMATS_NEWFILE_H

#include <span>
#include <string>
#include <string_view>

namespace llmc::formats {

/// Makes a file beside `place` that nobody else has, to be renamed when it is whole: its descriptor, open for
/// writing, or -1 with errno. `name` gets its path, that of `place` with something more and the suffix.
int createBeside(const std::string &place, std::string_view suffix, std::string &name);

/// Whether a result may be written to `place`: there is nothing yet or a regular file, it is none of
/// `inputs`, and its folder takes files. One sentence if not. Where `place` is a symbolic link it becomes
/// what the link points at.
std::string checkPlace(std::string &place, std::span<const std::string> inputs);

} // namespace llmc::formats
#endif
