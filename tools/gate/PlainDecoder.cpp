//===- PlainDecoder.cpp - stored rows to numbers, one at a time -----------===//
#include "tools/gate/PlainDecoder.h"

#include <cmath>
#include <cstring>
#include <utility>

namespace llmc::tools {
namespace {

unsigned word(const uint8_t *bytes) { return bytes[0] + 256u * bytes[1]; }

/// (-1)^s * 2^(e - 15) * 1.m, or 2^-14 * 0.m.
double half(const uint8_t *bytes) {
  const unsigned bits = word(bytes), exponent = bits / 1024 % 32, mantissa = bits % 1024;
  double magnitude;
  if (exponent == 31)
    magnitude = mantissa ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = std::ldexp(mantissa, -24);
  else
    magnitude = std::ldexp(1024.0 + mantissa, static_cast<int>(exponent) - 25);
  return bits >= 32768 ? -magnitude : magnitude;
}

/// The upper half of an f32.
double brain(const uint8_t *bytes) {
  const uint32_t bits = word(bytes) * 65536u;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

int nibble(uint8_t byte, bool isHigh) { return isHigh ? byte / 16 : byte % 16; }
int bit(const uint8_t *bytes, int64_t i) { return bytes[i / 8] >> (i % 8) & 1; }

// Each yields number `i` of the block at `b`.

double f16(const uint8_t *b, int) { return half(b); }
double bf16(const uint8_t *b, int) { return brain(b); }

/// f16 d, 32 int8.
double q8_0(const uint8_t *b, int i) { return half(b) * static_cast<int8_t>(b[2 + i]); }

/// f16 d, 16 bytes: the low nibbles are numbers 0 to 15, the high ones 16 to 31; counted from -8.
double q4_0(const uint8_t *b, int i) { return half(b) * (nibble(b[2 + i % 16], i >= 16) - 8); }

/// f16 d, f16 m, nibbles as in q4_0, counted from 0.
double q4_1(const uint8_t *b, int i) { return half(b) * nibble(b[4 + i % 16], i >= 16) + half(b + 2); }

/// f16 d, 32 fifth bits, nibbles as in q4_0; counted from -16.
double q5_0(const uint8_t *b, int i) {
  return half(b) * (nibble(b[6 + i % 16], i >= 16) + 16 * bit(b + 2, i) - 16);
}

/// f16 d, f16 m, 32 fifth bits, nibbles.
double q5_1(const uint8_t *b, int i) {
  return half(b) * (nibble(b[8 + i % 16], i >= 16) + 16 * bit(b + 4, i)) + half(b + 2);
}

/// f16 d, f16 dmin, 12 bytes of eight 6-bit scales and eight 6-bit minimums, 128 bytes: of each 32 bytes the
/// low nibbles are 32 numbers, the high ones the next 32.
double q4_k(const uint8_t *b, int i) {
  const int group = i / 32;
  const uint8_t *s = b + 4;
  int scale, minimum;
  if (group < 4) {
    scale = s[group] % 64;
    minimum = s[group + 4] % 64;
  } else { // four bits of both in one byte, the upper two bits above those of the first groups
    scale = s[group + 4] % 16 + 16 * (s[group - 4] / 64);
    minimum = s[group + 4] / 16 + 16 * (s[group] / 64);
  }
  const int quant = nibble(b[16 + 32 * (group / 2) + i % 32], group % 2 == 1);
  return half(b) * scale * quant - half(b + 2) * minimum;
}

/// 128 bytes of low nibbles, 64 bytes of pairs of high bits, 16 int8 scales, f16 d; counted from -32. Of 128
/// numbers, 64 bytes hold the nibbles (first the low, then the high ones) and 32 bytes the pairs (four
/// times).
double q6_k(const uint8_t *b, int i) {
  const int run = i / 128, at = i % 128;
  const int low = nibble(b[64 * run + at % 64], at >= 64);
  const int high = b[128 + 32 * run + at % 32] >> (2 * (at / 32)) & 3;
  return half(b + 208) * static_cast<int8_t>(b[192 + i / 16]) * (low + 16 * high - 32);
}

struct Format {
  std::string_view name;
  int numbers, bytes; // of a block
  double (*number)(const uint8_t *, int);
};
constexpr Format formats[] = {
    {"f16", 1, 2, f16},       {"bf16", 1, 2, bf16},     {"bf16z", 1, 2, bf16},  {"q8_0", 32, 34, q8_0},
    {"q4_0", 32, 18, q4_0},   {"q4_1", 32, 20, q4_1},   {"q5_0", 32, 22, q5_0}, {"q5_1", 32, 24, q5_1},
    {"q4_k", 256, 144, q4_k}, {"q6_k", 256, 210, q6_k},
};

/// An f32 scale, then an int8 a number.
void decodeInt8Row(const uint8_t *row, int64_t k, float *out) {
  float scale;
  std::memcpy(&scale, row, sizeof scale);
  for (int64_t i = 0; i < k; ++i)
    out[i] = static_cast<float>(static_cast<double>(scale) * static_cast<int8_t>(row[4 + i]));
}

const Format *formatNamed(std::string_view name) {
  for (const Format &format : formats)
    if (format.name == name)
      return &format;
  return nullptr;
}

} // namespace

bool canDecode(std::string_view format) { return format == "int8" || formatNamed(format); }

void decodeRow(std::string_view name, const uint8_t *row, int64_t k, float *out) {
  if (name == "int8")
    return decodeInt8Row(row, k, out);
  const Format &format = *formatNamed(name);
  for (int64_t i = 0; i < k; ++i)
    out[i] = static_cast<float>(
        format.number(row + i / format.numbers * format.bytes, static_cast<int>(i % format.numbers)));
}

} // namespace llmc::tools
