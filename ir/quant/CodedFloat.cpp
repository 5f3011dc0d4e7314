//===- CodedFloat.cpp - bf16 in 12 bits, without loss ---------------------===//
#include "ir/quant/CodedFloat.h"

#include "ir/quant/Schemes.h"

#include <algorithm>
#include <array>

namespace llmc::quant::coded {
namespace {

using Rows = std::span<const uint8_t *const>;

constexpr int exponents = 256;
constexpr uint8_t noCode = 0xff;
/// Places are 32 bits.
constexpr int64_t mostColumns = int64_t(1) << 27;

int exponentOf(uint16_t bits) { return bits >> 7 & 0xff; }

std::array<uint32_t, exponents> countExponents(Rows rows, int64_t k) {
  // Equal exponents follow each other: with tables of their own, neighbours do not wait for each other.
  constexpr int tables = 4;
  std::array<std::array<uint32_t, exponents>, tables> counts = {};
  for (const uint8_t *row : rows) {
    if (!row)
      continue;
    int64_t i = 0;
    for (; i + tables <= k; i += tables) {
      const uint64_t four = load64(row + 2 * i);
      for (int t = 0; t < tables; ++t)
        ++counts[t][four >> (16 * t + 7) & 0xff];
    }
    for (; i < k; ++i)
      ++counts[0][exponentOf(load16(row + 2 * i))];
  }
  for (int t = 1; t < tables; ++t)
    for (int e = 0; e < exponents; ++e)
      counts[0][e] += counts[t][e];
  return counts[0];
}

struct Codes {
  std::array<uint8_t, exponents> codeOf;
  std::array<uint8_t, codes> exponentOf = {};
  int64_t exceptions = 0;
};

/// Codes for the most frequent exponents.
Codes chooseCodes(Rows rows, int64_t k) {
  std::array<uint32_t, exponents> counts = countExponents(rows, k);
  std::array<uint8_t, exponents - 1> order; // of all but 0
  for (int e = 1; e < exponents; ++e)
    order[e - 1] = uint8_t(e);
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return counts[a] != counts[b] ? counts[a] > counts[b] : a < b; });
  Codes result;
  result.codeOf.fill(noCode);
  result.codeOf[0] = zeroCode;
  for (int i = 0; i < exponents - 1; ++i) {
    if (i >= zeroCode)
      result.exceptions += counts[order[i]];
    else if (counts[order[i]])
      result.codeOf[result.exponentOf[i] = order[i]] = uint8_t(i);
  }
  return result;
}

/// Writes records, with the exceptions that they have.
class PanelWriter {
public:
  PanelWriter(const Codes &codes, int64_t k, uint8_t *out)
      : chosen(codes), k(k), records(out + headerBytes),
        exception(records + (k + columns - 1) / columns * recordBytes) {}

  void record(Rows rows, int64_t number) {
    uint8_t *first = exception;
    const int64_t from = number * columns, n = std::min(columns, k - from);
    for (int64_t r = 0; r < panelRows; ++r) {
      uint16_t numbers[columns] = {};
      if (r < int64_t(rows.size()) && rows[r])
        std::memcpy(numbers, rows[r] + 2 * from, 2 * n);
      row(records + number * recordBytes, r, from, numbers);
    }
    if (exception == first)
      return;
    auto *begin = reinterpret_cast<uint64_t *>(first), *end = reinterpret_cast<uint64_t *>(exception);
    std::sort(begin, end, [](uint64_t a, uint64_t b) { return uint32_t(a) < uint32_t(b); });
  }

private:
  /// A row's part of a record, in pairs of columns, which are neighbours in a line.
  LLMC_INLINE void row(uint8_t *lines, int64_t row, int64_t column, uint16_t *numbers) {
    uint8_t codeOf[columns], any = 0;
    for (int64_t i = 0; i < columns; ++i)
      any |= codeOf[i] = chosen.codeOf[exponentOf(numbers[i])];
    if (any > zeroCode) [[unlikely]]
      for (int64_t i = 0; i < columns; ++i)
        if (codeOf[i] == noCode) {
          store64(exception, uint64_t((column + i) * panelRows + row) | uint64_t(numbers[i]) << 32);
          exception += exceptionBytes;
          codeOf[i] = zeroCode, numbers[i] = 0;
        }
    auto both = [&](int64_t i) { return codeOf[i] | codeOf[i + lineColumns] << 4; };
    for (int64_t line = 0; line < columns / lineColumns; ++line) {
      const uint64_t four = load64(reinterpret_cast<const uint8_t *>(numbers + line * lineColumns));
      uint64_t mantissas = (four >> 8 & 0x0080008000800080u) | (four & 0x007f007f007f007fu);
      mantissas |= mantissas >> 8; // two bytes of each half
      store16(lines + line * lineBytes + byteOf(row, 0), uint16_t(mantissas));
      store16(lines + line * lineBytes + byteOf(row, 2), uint16_t(mantissas >> 32));
    }
    for (int64_t i = 0; i < lineColumns; i += 2)
      store16(lines + codesOffset + byteOf(row, i), uint16_t(both(i) | both(i + 1) << 8));
  }

  const Codes &chosen;
  const int64_t k;
  uint8_t *records, *exception; // where the next one goes
};

} // namespace

bool fits(Rows rows, int64_t k) {
  return k <= mostColumns && chooseCodes(rows, k).exceptions <= mostExceptions(k);
}

bool packPanel(Rows rows, int64_t k, uint8_t *out) {
  if (k > mostColumns)
    return false;
  const Codes chosen = chooseCodes(rows, k);
  if (chosen.exceptions > mostExceptions(k))
    return false;
  const int64_t records = (k + columns - 1) / columns;
  std::memset(out, 0, headerBytes);
  std::memset(out + headerBytes + records * recordBytes, 0, listBytes(k));
  for (int code = 0; code < codes; ++code) {
    out[code] = chosen.exponentOf[code] >> 1;
    out[lowsOffset + code] = uint8_t(chosen.exponentOf[code] << 7);
  }
  const auto count = uint32_t(chosen.exceptions);
  std::memcpy(out + countOffset, &count, sizeof count);
  PanelWriter writer(chosen, k, out);
  for (int64_t record = 0; record < records; ++record)
    writer.record(rows, record);
  return true;
}

} // namespace llmc::quant::coded
