//===- SafetensorsWriter.h - safetensors bytes for tests --------*- C++ -*-===//
#ifndef LLMC_TESTS_SUPPORT_SAFETENSORSWRITER_H
#define LLMC_TESTS_SUPPORT_SAFETENSORSWRITER_H

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

namespace llmc::test {

/// A safetensors file of any header and data, right or wrong.
inline std::string safetensorsBytes(std::string_view header, std::string_view data) {
  uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char *>(&length), sizeof length);
  return bytes.append(header).append(data);
}

/// Correct files, tensor by tensor.
class SafetensorsWriter {
public:
  /// `shape` as JSON: "[2,3]".
  SafetensorsWriter &add(std::string_view name, std::string_view dtype, std::string_view shape,
                         std::string_view bytes) {
    std::string begin = std::to_string(data.size());
    data.append(bytes);
    entries += (entries.empty() ? "\"" : ",\"") + std::string(name) + "\":{\"dtype\":\"" +
               std::string(dtype) + "\",\"shape\":" + std::string(shape) + ",\"data_offsets\":[" + begin +
               "," + std::to_string(data.size()) + "]}";
    return *this;
  }
  std::string bytes() const { return safetensorsBytes("{" + entries + "}", data); }

private:
  std::string entries, data;
};

/// Whether all bytes could be written.
inline bool writeBytes(const std::string &path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return static_cast<bool>(out.flush());
}

} // namespace llmc::test
#endif
