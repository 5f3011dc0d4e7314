// JSON in: untrusted text to values, every string marked as input.
#pragma once

#include "Value.h"

#include <string>
#include <string_view>

namespace llmc::jinja {

/// False and an error that begins with `what` ("messages"). Throws TemplateError only for the memory limit.
bool parseJson(Context &c, std::string_view text, const std::string &what, Value &out, std::string &error);

} // namespace llmc::jinja
