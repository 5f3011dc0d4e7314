//===- Profile.h - measured times for a report ------------------*- C++ -*-===//
#ifndef LLMC_TOOLS_EXPLORE_PROFILE_H
#define LLMC_TOOLS_EXPLORE_PROFILE_H

#include <nlohmann/json.hpp>
#include <string>

namespace llmc::explore {

/// What the page needs of a file that `llmc run --profile` has written; null for an empty path.
nlohmann::ordered_json readProfile(const std::string &path);

} // namespace llmc::explore
#endif
