//===- Page.cpp - a report as one HTML file -------------------------------===//
//
// The page's own files were put into the program when it was built. Data stand in script elements of a type
// that no browser runs, deflated and in base64, so that nothing in them can end an element.
//
//===----------------------------------------------------------------------===//
#include "tools/explore/PageFiles.h"
#include "tools/explore/Report.h"

#include <stdexcept>
#include <zlib.h>

using namespace llmc::explore;

static std::string deflated(const std::string &text) {
  uLongf size = compressBound(text.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef *>(packed.data()), &size, reinterpret_cast<const Bytef *>(text.data()),
                text.size(), Z_BEST_COMPRESSION) != Z_OK)
    throw std::runtime_error("the report cannot be compressed: out of memory");
  packed.resize(size);
  return packed;
}

static std::string base64(std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    for (size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      text += at + i > bytes.size() ? '=' : digits[group >> (18 - 6 * i) & 63];
  }
  return text;
}

static std::string escaped(std::string_view text) {
  std::string html;
  for (char c : text)
    switch (c) {
    case '&':
      html += "&amp;";
      break;
    case '<':
      html += "&lt;";
      break;
    case '>':
      html += "&gt;";
      break;
    case '"':
      html += "&quot;";
      break;
    default:
      html += c;
    }
  return html;
}

static void replace(std::string &text, std::string_view mark, std::string_view by) {
  size_t at = text.find(mark);
  if (at == std::string::npos)
    throw std::logic_error("page.html has no " + std::string(mark));
  text.replace(at, mark.size(), by);
}

std::string llmc::explore::makePage(const Report &report) {
  std::string scripts, style, data;
  std::string page;
  for (const PageFile &file : pageFiles()) {
    if (file.name == "page.html")
      page = file.text;
    else if (file.name.ends_with(".css"))
      style += file.text;
    else
      scripts += file.text;
  }
  auto add = [&](size_t number, const std::string &text) {
    data += "<script type=\"text/plain\" id=\"chunk-" + std::to_string(number) + "\">" +
            base64(deflated(text)) + "</script>\n";
  };
  add(0, report.data);
  for (size_t i = 0; i < report.chunks.size(); ++i)
    add(i + 1, report.chunks[i]);
  replace(page, "<!--title-->", escaped(report.title));
  replace(page, "/*style*/", style);
  replace(page, "<!--data-->", data);
  replace(page, "/*scripts*/", scripts);
  return page;
}
