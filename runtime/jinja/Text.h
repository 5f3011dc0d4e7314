// A string that remembers where each byte came from: the template or the input data.
// Special tokens are recognized only in template bytes, so what a user types can never open or close a turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace llmc::jinja {

// UTF-8, tolerant of invalid bytes: each one counts as a character of its own.
struct CodePoint {
  uint32_t value;
  uint32_t length; // bytes, at least 1
  bool valid;
};
CodePoint decodeUtf8(std::string_view s, size_t pos);
void encodeUtf8(uint32_t codePoint, std::string &out);
size_t countCodePoints(std::string_view s);
/// Byte offset of the first invalid sequence, or npos.
size_t findInvalidUtf8(std::string_view s);
/// White space as Python's str.strip() and regular expressions see it.
bool isSpace(uint32_t codePoint);

class Text {
public:
  Text() = default;
  Text(std::string_view s, bool fromInput) { append(s, fromInput); }

  const std::string &str() const { return bytes; }
  size_t size() const { return bytes.size(); }
  bool empty() const { return bytes.empty(); }
  bool inputAt(size_t pos) const;

  void append(std::string_view s, bool fromInput);
  void append(const Text &other) { appendSlice(other, 0, other.size()); }
  void appendSlice(const Text &other, size_t begin, size_t end);
  Text slice(size_t begin, size_t end) const;
  void appendCodePoint(uint32_t codePoint, bool fromInput);

  /// Calls fn(std::string_view, bool fromInput) for each run of bytes of one origin, in order.
  template <typename Fn> void forEachRun(Fn fn) const {
    size_t begin = 0;
    bool input = startsInput;
    for (size_t end : flips) {
      fn(std::string_view(bytes).substr(begin, end - begin), input);
      begin = end;
      input = !input;
    }
    if (begin < bytes.size())
      fn(std::string_view(bytes).substr(begin), input);
  }
  /// Heap and object bytes, for the memory limit.
  size_t footprint() const { return sizeof(Text) + bytes.capacity() + flips.capacity() * sizeof(size_t); }

  /// As Python's str.strip: without white space, or without any of the characters in `chars`.
  Text strip(bool left, bool right, const std::string *chars = nullptr) const;

private:
  std::string bytes;
  bool startsInput = false;
  std::vector<size_t> flips; // offsets (> 0) where the origin changes
};

} // namespace llmc::jinja
