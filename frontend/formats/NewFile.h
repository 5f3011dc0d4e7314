//===- NewFile.h - results under a name of their own ------------*- C++ -*-===//
#ifndef LLMC_FRONTEND_FORMATS_NEWFILE_H
#define LLMC_FRONTEND_FORMATS_NEWFILE_H

#include <span>
#include <string>
#include <string_view>

namespace llmc::formats {

/// Makes a file beside `place` that nobody else has, to be renamed when it is whole: its descriptor, open for
/// writing, or -1 with errno. `name` gets its path, that of `place` with something more and the suffix. The
/// descriptor holds a lock, which says that the file has an owner: it, or a duplicate, stays open until the
/// file has its place or is gone.
int createBeside(const std::string &place, std::string_view suffix, std::string &name);

/// Removes what createBeside(place, "" or ".tmp") has made for processes that were killed, and files whose
/// names go on where such a name ends.
void removeLeftovers(const std::string &place);

/// Whether a result may be written to `place`: there is nothing yet or a regular file, it is none of
/// `inputs`, and its folder takes files. One sentence if not. Where `place` is a symbolic link it becomes
/// what the link points at. Leftovers of the place are removed.
std::string preparePlace(std::string &place, std::span<const std::string> inputs);

} // namespace llmc::formats
#endif
