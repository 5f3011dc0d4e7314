//===- WriteFile.cpp - text and objects to a file -------------------------===//
#include "codegen/WriteFile.h"

#include "frontend/formats/NewFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

using namespace llmc::codegen;

std::string llmc::codegen::writeFile(const std::string &path,
                                     llvm::function_ref<void(llvm::raw_ostream &)> write) {
  if (path != "-") {
    TemporaryFile file(path, ".tmp");
    if (!file.error().empty())
      return file.error();
    write(file.stream());
    return file.moveTo(path);
  }
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  write(out);
  out.flush();
  code = out.error();
  out.clear_error(); // a stream that ends with an error ends the program
  return code ? path + ": cannot write: " + code.message() : "";
}

TemporaryFile::TemporaryFile(const std::string &beside, llvm::StringRef suffix) {
  std::string made;
  descriptor = formats::createBeside(beside, {suffix.data(), suffix.size()}, made);
  const int written = descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (written < 0) {
    failure = beside + ": cannot write: " + std::error_code(errno, std::generic_category()).message();
    if (descriptor >= 0)
      llvm::sys::fs::remove(made);
    return;
  }
  name = made;
  llvm::sys::RemoveFileOnSignal(name);
  out = std::make_unique<llvm::raw_fd_ostream>(written, /*shouldClose=*/true);
}

TemporaryFile::~TemporaryFile() {
  if (!name.empty()) {
    out->close();
    out->clear_error(); // a stream that ends with an error ends the program
    llvm::sys::fs::remove(name);
    llvm::sys::DontRemoveFileOnSignal(name);
  }
  if (descriptor >= 0)
    close(descriptor);
}

std::string TemporaryFile::moveTo(const std::string &place) {
  out->close();
  std::error_code code = out->error();
  out->clear_error();
  if (!code)
    code = llvm::sys::fs::rename(name, place);
  if (code)
    return place + ": cannot write: " + code.message();
  llvm::sys::DontRemoveFileOnSignal(name);
  name.clear();
  close(descriptor);
  descriptor = -1;
  return "";
}
