// Rows of embedding tables of every scheme, of widths that fill no whole row or block of threads.
#include "GpuEmbed.h"

#include <gtest/gtest.h>

using namespace llmc;
using namespace llmc::test;

namespace {

TEST(Embed, rows_are_those_of_the_table) {
  constexpr int64_t vocab = 37, width = 300;
  const std::vector<int32_t> ids = {36, 0, 17, 5}, asked = {2, 0, 3};
  for (const quant::QuantScheme &scheme : quant::allSchemes())
    for (uint32_t rowSpace : {LLMC_ROWS_TOKENS, LLMC_ROWS_ASKED}) {
      Random random(1);
      const float scale = rowSpace == LLMC_ROWS_ASKED ? 1 : 3;
      GpuEmbed embed({&scheme, vocab, width, scale, rowSpace}, random);
      ASSERT_EQ(embed.runner.error(), "");
      embed.runner.mostRowBlocks = 2; // one takes several rows
      std::vector<float> result;
      ASSERT_EQ(embed.run(ids, asked, result), "") << scheme.name;
      for (size_t row = 0; row * embed.stride() < result.size(); ++row) {
        const int32_t id = ids[rowSpace == LLMC_ROWS_ASKED ? asked[row] : row];
        for (int64_t column = 0; column < embed.stride(); ++column)
          ASSERT_EQ(result[row * embed.stride() + column],
                    column < width ? embed.table.values[id * width + column] * scale : 0)
              << scheme.name << ", row " << row << ", column " << column;
      }
    }
}

} // namespace
