//===- ConfigErrors.h - the first problem of a configuration ----*- C++ -*-===//
//
// The half that readers of hyper-parameters share. The first problem is kept as a sentence that names file,
// key, what was found and what is expected; later reads go on with harmless values, so that an architecture
// reads all its keys first and asks once whether that went well.
//
//===----------------------------------------------------------------------===//
#ifndef LLMC_FRONTEND_CONFIGERRORS_H
#define LLMC_FRONTEND_CONFIGERRORS_H

#include <string>

namespace llmc::frontend {

class ConfigErrors {
public:
  virtual ~ConfigErrors() = default;
  /// The key as messages name it.
  virtual std::string key(const std::string &name) const = 0;
  /// Records `file: key 'name' is FOUND, expected EXPECTED`.
  void refuse(const std::string &name, const std::string &found, const std::string &expected) {
    fail("key '" + key(name) + "' is " + found + ", expected " + expected);
  }
  /// Records `file: WHAT`.
  void fail(const std::string &what) { keep(file + ": " + what); }
  bool ok() const { return error.empty(); }
  const std::string &firstError() const { return error; }

protected:
  explicit ConfigErrors(std::string file) : file(std::move(file)) {}
  /// Takes over what a reader reported about its file; whether there was something.
  bool keep(const std::string &reported) {
    if (ok())
      error = reported;
    return !reported.empty();
  }

private:
  std::string file, error;
};

} // namespace llmc::frontend
#endif
