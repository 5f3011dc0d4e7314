//===- WeightRows.cpp - the value of a weight expression ------------------===//
#include "codegen/WeightRows.h"

#include "ir/quant/quantize/Quantize.h"

#include <algorithm>
#include <cmath>

namespace llmc::codegen {

static const quant::Quantizer *quantizerOf(const quant::QuantScheme &scheme) {
  return quant::quantizerByName(scheme.name);
}

/// Numbers of a row for this thread, which live from call to call.
static float *numbers(int64_t n) {
  thread_local std::vector<float> buffer;
  if (static_cast<int64_t>(buffer.size()) < n)
    buffer.resize(n);
  return buffer.data();
}

int64_t WeightRows::rowBytes() const { return kind->rowBytes(width); }

bool WeightRows::isExact() const {
  return !through && std::all_of(stored.begin(), stored.end(), [&](const Row &row) {
    return row.scheme->sharesRowsWith(*kind) || kind->name == "f32";
  });
}

void WeightRows::widen() { kind = quant::schemeByName("f32"); }

bool WeightRows::isStoredAsIs() const {
  return !through && std::all_of(stored.begin(), stored.end(),
                                 [&](const Row &row) { return row.scheme->sharesRowsWith(*kind); });
}

std::string WeightRows::describeRow(int64_t r) const {
  const uint8_t *bytes = stored[r].bytes;
  for (const Origin &origin : origins)
    if (bytes >= origin.begin && bytes < origin.end)
      return "row " + std::to_string((bytes - origin.begin) / origin.rowBytes) + " of tensor '" +
             origin.tensor + "'";
  return "row " + std::to_string(r) + " of a computed weight";
}

void WeightRows::floats(int64_t r, float *out) const {
  stored[r].scheme->unpackRow(stored[r].bytes, width, out);
}

const uint8_t *WeightRows::read(int64_t r, uint8_t *room, std::string &error) const {
  if (through) {
    std::vector<uint8_t> bytes(through->rowBytes(width));
    const uint8_t *row = quantize(r, *through, bytes.data(), error);
    if (row)
      decode(*through, row, width, reinterpret_cast<float *>(room));
    return row ? room : nullptr;
  }
  if (kind->name == "f32" && stored[r].scheme != kind) {
    floats(r, reinterpret_cast<float *>(room));
    return room;
  }
  return quantize(r, *kind, room, error);
}

const uint8_t *WeightRows::quantize(int64_t r, const quant::QuantScheme &to, uint8_t *room,
                                    std::string &error) const {
  if (stored[r].scheme->sharesRowsWith(to))
    return stored[r].bytes;
  const quant::Quantizer &quantizer = *quantizerOf(to);
  float *values = numbers(width);
  floats(r, values);
  if (int64_t column = quantizer.firstUnfit(values, width); column != width) {
    char largest[32], found[32];
    std::snprintf(largest, sizeof largest, "%.3g", static_cast<double>(quantizer.largest));
    std::snprintf(found, sizeof found, "%g", static_cast<double>(std::fabs(values[column])));
    error = describeRow(r) + " holds " + found + " in column " + std::to_string(column) +
            ", expected a number below " + largest + " to quantize to " + std::string(to.name);
    return nullptr;
  }
  quantizer.row(values, width, room);
  if (alter)
    alter(to, room, width);
  return room;
}

} // namespace llmc::codegen
