#include "tests/device/Counts.h"

#include "llmc/llmc.h"

#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

namespace llmc::test {

static CountTable readCounts(const std::string &path) {
  CountTable table;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line); // the names of the columns
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string kernel, memory;
    Counts counts;
    std::getline(fields, kernel, '\t');
    std::getline(fields, memory, '\t');
    fields >> counts.loads >> counts.stores >> counts.warpLoads >> counts.warpStores >>
        counts.loadTransactions >> counts.storeTransactions >> counts.distinctLoads >>
        counts.distinctStores >> counts.memory;
    EXPECT_TRUE(fields) << line;
    table[{kernel, memory}] = counts;
  }
  return table;
}

CountTable countSteps(const std::string &path, const std::string &code, const std::vector<uint32_t> &steps) {
  const std::string counts = testing::TempDir() + "llmc_counts_" + std::to_string(getpid());
  const std::string device = "simt:code=" + code + ",checks=none,counts=" + counts;
  llmc_model_params params;
  llmc_model_params_init(&params, sizeof params);
  params.device = device.c_str();
  llmc_session_params limits;
  llmc_session_params_init(&limits, sizeof limits);
  limits.n_ctx = 256, limits.n_batch = 256;
  llmc_model *model = nullptr;
  llmc_session *session = nullptr;
  llmc_seq seq = -1;
  EXPECT_EQ(llmc_model_load(path.c_str(), &params, &model), LLMC_OK) << llmc_last_error();
  if (model)
    EXPECT_EQ(llmc_session_new(model, &limits, &session), LLMC_OK) << llmc_last_error();
  if (session)
    EXPECT_EQ(llmc_seq_new(session, &seq), LLMC_OK);
  llmc_token next = 0;
  for (uint32_t n : steps) {
    std::vector<llmc_token> tokens(n);
    for (llmc_token &token : tokens)
      token = next = (next * 37 + 11) % 256;
    if (session)
      EXPECT_EQ(llmc_prefill(session, seq, tokens.data(), n), LLMC_OK) << llmc_last_error();
  }
  llmc_session_free(session);
  llmc_model_release(model); // writes the counts
  CountTable table = readCounts(counts);
  std::remove(counts.c_str());
  EXPECT_EQ(table.empty(), steps.empty());
  return table;
}

CountTable countLastStep(const std::string &model, const std::string &code, std::vector<uint32_t> steps) {
  CountTable table = countSteps(model, code, steps);
  steps.pop_back();
  for (const auto &[key, before] : countSteps(model, code, steps)) {
    Counts &counts = table[key];
    counts.loads -= before.loads, counts.stores -= before.stores;
    counts.warpLoads -= before.warpLoads, counts.warpStores -= before.warpStores;
    counts.loadTransactions -= before.loadTransactions;
    counts.storeTransactions -= before.storeTransactions;
    counts.distinctLoads -= before.distinctLoads, counts.distinctStores -= before.distinctStores;
  }
  return table;
}

std::string describe(const CountTable &table) {
  std::string text;
  char line[256];
  std::snprintf(line, sizeof line, "%-50s %-20s %9s %9s %9s %9s %9s %6s\n", "entry", "memory", "bytes",
                "loaded", "distinct", "stored", "distinct", "full");
  text += line;
  for (const auto &[key, counts] : table)
    if (counts.warpLoads || counts.warpStores) {
      std::snprintf(line, sizeof line, "%-50.50s %-20.20s %9llu %9llu %9llu %9llu %9llu %5.0f%%\n",
                    key.first.c_str(), key.second.c_str(), (unsigned long long)counts.memory,
                    (unsigned long long)counts.warpLoads, (unsigned long long)counts.distinctLoads,
                    (unsigned long long)counts.warpStores, (unsigned long long)counts.distinctStores,
                    100 * counts.fill());
      text += line;
    }
  return text;
}

} // namespace llmc::test
