//===- WriteFile.cpp - text and objects to a file -------------------------===//
#include "codegen/WriteFile.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"

using namespace llmc::codegen;

std::string llmc::codegen::writeFile(const std::string &path,
                                     llvm::function_ref<void(llvm::raw_ostream &)> write) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  if (!code) {
    write(out);
    out.flush();
    code = out.error();
    out.clear_error(); // a stream that ends with an error ends the program
  }
  return code ? path + ": cannot write: " + code.message() : "";
}

std::string llmc::codegen::checkPlace(std::string &place, llvm::ArrayRef<std::string> inputs) {
  llvm::sys::fs::file_status status;
  if (llvm::sys::fs::status(place, status))
    return ""; // nothing there; whether it can be made shows when it is
  if (status.type() != llvm::sys::fs::file_type::regular_file)
    return place + ": is there and not a regular file";
  for (const std::string &input : inputs)
    if (llvm::sys::fs::equivalent(place, input))
      return place + ": cannot be written, it is also read as " + input;
  llvm::SmallString<128> real;
  if (llvm::sys::fs::is_symlink_file(place) && !llvm::sys::fs::real_path(place, real))
    place = real.str().str();
  return "";
}

TemporaryFile::TemporaryFile(const std::string &model) {
  llvm::SmallString<128> made;
  int fd = -1;
  if (std::error_code code = llvm::sys::fs::createUniqueFile(model, fd, made)) {
    failure = model.substr(0, model.find(".%")) + ": cannot write: " + code.message();
    return;
  }
  name = made.str().str();
  llvm::sys::RemoveFileOnSignal(name);
  out = std::make_unique<llvm::raw_fd_ostream>(fd, /*shouldClose=*/true);
}

TemporaryFile::~TemporaryFile() {
  if (name.empty())
    return;
  out->close();
  out->clear_error(); // a stream that ends with an error ends the program
  llvm::sys::fs::remove(name);
  llvm::sys::DontRemoveFileOnSignal(name);
}

std::string TemporaryFile::moveTo(const std::string &place) {
  out->close();
  std::error_code code = out->error();
  out->clear_error();
  // It was made private; the result is as readable as any other file that the user makes.
  if (!code)
    llvm::sys::fs::setPermissions(name, static_cast<llvm::sys::fs::perms>(0666 & ~llvm::sys::fs::getUmask()));
  if (!code)
    code = llvm::sys::fs::rename(name, place);
  if (code)
    return place + ": cannot write: " + code.message();
  llvm::sys::DontRemoveFileOnSignal(name);
  name.clear();
  return "";
}
