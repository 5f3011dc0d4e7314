//===- WriteFile.cpp - text and objects to a file -------------------------===//
#include "codegen/WriteFile.h"

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
