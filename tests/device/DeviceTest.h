// The device that tests run on: LLMC_DEVICE names it, the emulator if it is not set, or a GPU, on which the
// same tests run unchanged.
#pragma once

#include "llmc/llmc.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string>

namespace llmc::test {

inline std::string deviceWord() {
  const char *word = std::getenv("LLMC_DEVICE");
  return word && *word ? word : "simt";
}
inline bool isEmulated() { return deviceWord() == "simt"; }

/// Whether the device is here; a GPU may not be.
inline bool isHere() {
  size_t count = 0;
  llmc_device_count(&count);
  for (size_t i = 0; i < count; ++i) {
    char name[32] = "";
    llmc_device_name(i, name, sizeof name, nullptr);
    if (std::string(name).rfind(deviceWord().substr(0, 4), 0) == 0)
      return true;
  }
  return false;
}

#define REQUIRE_DEVICE()                                                                                     \
  if (!isHere())                                                                                             \
  GTEST_SKIP() << "there is no " << deviceWord()

/// The model's name in the name of a test.
inline std::string word(std::string model) {
  std::replace(model.begin(), model.end(), '-', '_');
  return model;
}

inline std::string modelPath(const std::string &name) {
  return std::string(LLMC_DEVICE_MODELS) + "/" + name + ".so";
}

/// The device; if it is the emulator, with the code that can be checked and these options.
inline std::string deviceWith(const std::string &options, const std::string &model) {
  if (!isEmulated())
    return deviceWord();
  return "simt:code=" + std::string(LLMC_DEVICE_MODELS) + "/" + model + ".checked.simt," + options;
}
inline std::string checkedDevice(const std::string &model, uint32_t seed) {
  return deviceWith("checks=bounds+races,seed=" + std::to_string(seed), model);
}

} // namespace llmc::test
