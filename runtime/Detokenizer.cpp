// Tokens to text as they come.
#include "runtime/Tokenizer.h"
#include "runtime/Utf8.h"

namespace llmc {

llmc_status Detokenizer::push(llmc_token id, std::string_view &out) {
  text.clear();
  out = {};
  if (auto status = tokenizer.decode({&id, 1}, skipSpecial, pending))
    return status;
  emitComplete(false);
  out = text;
  return LLMC_OK;
}

std::string_view Detokenizer::flush() {
  text.clear();
  emitComplete(true);
  return text;
}

void Detokenizer::emitComplete(bool atEnd) {
  size_t i = 0;
  while (i < pending.size()) {
    size_t valid = validUtf8Prefix(pending.data() + i, pending.size() - i);
    text.append(pending, i, valid);
    i += valid;
    if (i == pending.size())
      break;
    Utf8Char c = utf8Char(pending.data() + i, pending.size() - i);
    if (c.kind == Utf8Char::Cut && !atEnd)
      break;
    text += "\xef\xbf\xbd";
    i += c.size;
  }
  pending.erase(0, i);
}

} // namespace llmc
