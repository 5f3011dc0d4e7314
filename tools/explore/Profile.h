//===- Profile.h - measured times for a report ------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_EXPLORE_PROFILE_H
#define LLMC_TOOLS_EXPLORE_PROFILE_H

#include "tools/explore/StepText.h"

#include <nlohmann/json.hpp>
#include <string>

namespace llmc::explore {

/// What a report is about, as far as its source knows.
struct ReportedModel {
  std::string name;
  std::string headHash; // empty where no model.so was made
  const Program &program;
};

/// What the page needs of a file that `llmc run --profile` has written; null for an empty path. A profile of
/// another model or of another build is refused.
nlohmann::ordered_json readProfile(const std::string &path, const ReportedModel &model);

} // namespace llmc::explore
#endif
