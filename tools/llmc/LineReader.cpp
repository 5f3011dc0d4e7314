//===- LineReader.cpp - lines of a conversation ---------------------------===//
#include "tools/llmc/LineReader.h"
#include "tools/llmc/Interrupt.h"

#include <cerrno>
#include <clocale>
#include <cwchar>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace llmc::cli {
namespace {

constexpr int endOfInput = -1, interrupted = -2;
enum : int { ctrlD = 4, backspace = 8, escape = 27, ctrlU = 21, ctrlW = 23, rubout = 127 };

/// Errors are nobody's business: this only shows what was typed.
void show(std::string_view text) {
  while (!text.empty()) {
    ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    text.remove_prefix(size_t(n));
  }
}

// What the signal handler may need to set back.
termios terminalBefore;
bool isChanged = false;
constexpr std::string_view markPastes = "\033[?2004h", leavePastes = "\033[?2004l";

void restoreTerminal() {
  if (!isChanged)
    return;
  isChanged = false;
  show(leavePastes);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &terminalBefore);
}

/// Cells that the text takes on the screen.
size_t width(std::string_view text) {
  static const bool hasLocale =
      std::setlocale(LC_CTYPE, "") && MB_CUR_MAX > 1 ? true : std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr;
  size_t cells = 0;
  std::mbstate_t state = {};
  while (!text.empty()) {
    wchar_t character;
    size_t n = hasLocale ? std::mbrtowc(&character, text.data(), text.size(), &state) : 1;
    if (n == 0 || n > text.size()) { // a NUL, or no character: shown as something of one cell
      n = 1;
      state = {};
      ++cells;
    } else {
      int wide = hasLocale ? wcwidth(character) : 1;
      cells += size_t(wide > 0 ? wide : 0);
    }
    text.remove_prefix(n);
  }
  return cells;
}

/// Shows the last line of what was typed anew after something went from its end; `old` is how wide that line
/// was.
void redraw(std::string_view prompt, std::string_view line, size_t old) {
  winsize size{};
  size_t columns = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
  size_t rows = old ? (old - 1) / columns : 0;
  std::string text = "\r" + (rows ? "\033[" + std::to_string(rows) + "A" : "") + "\033[J";
  text += prompt;
  text += line;
  show(text);
}

/// Removes the last character, whole.
void removeCharacter(std::string &line, size_t start) {
  while (line.size() > start) {
    bool isContinuation = (uint8_t(line.back()) & 0xC0) == 0x80;
    line.pop_back();
    if (!isContinuation)
      return;
  }
}

void removeWord(std::string &line, size_t start) {
  while (line.size() > start && line.back() == ' ')
    line.pop_back();
  while (line.size() > start && line.back() != ' ')
    line.pop_back();
}

} // namespace

LineReader::LineReader(bool readsTerminal) : isTerminal(readsTerminal) {
  if (!isTerminal || tcgetattr(STDIN_FILENO, &terminalBefore) != 0)
    return;
  setLastWords(restoreTerminal);
  isChanged = true;
  setTerminal();
}

LineReader::~LineReader() {
  setLastWords(nullptr);
  restoreTerminal();
}

void LineReader::setTerminal() {
  if (!isChanged)
    return;
  termios typing = terminalBefore;
  typing.c_lflag &= ~tcflag_t(ICANON | ECHO);
  typing.c_lflag |= NOFLSH;
  typing.c_cc[VMIN] = 1;
  typing.c_cc[VTIME] = 0;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &typing);
  show(markPastes);
}

int LineReader::next() {
  while (!hasMore()) {
    pollfd inputs[] = {{interruptDescriptor(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    if (poll(inputs, 2, -1) < 0 && errno != EINTR)
      return endOfInput;
    if (inputs[0].revents)
      return interrupted;
    if (!inputs[1].revents)
      continue;
    buffer.resize(65536);
    ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    int reason = errno;
    buffer.resize(n > 0 ? size_t(n) : 0);
    at = 0;
    if (n == 0 || (n < 0 && reason != EINTR))
      return endOfInput;
  }
  return uint8_t(buffer[at++]);
}

LineReader::End LineReader::read(std::string_view prompt, std::string &line) {
  line.clear();
  if (isTerminal)
    return readTerminal(prompt, line);
  for (int byte; (byte = next()) != '\n';) {
    if (byte == interrupted)
      return End::Interrupt;
    if (byte == endOfInput) {
      if (line.empty())
        return End::Input;
      break;
    }
    line += char(byte);
  }
  if (!line.empty() && line.back() == '\r')
    line.pop_back();
  return End::Line;
}

std::string LineReader::readEscape() {
  // A lone Escape key is followed by nothing, soon.
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  if (!hasMore() && poll(&input, 1, 50) <= 0)
    return "";
  std::string sequence;
  int byte = next();
  sequence += char(byte);
  if (byte != '[' && byte != 'O')
    return sequence;
  while ((byte = next()) >= 0 && sequence.size() < 16) {
    sequence += char(byte);
    if (byte >= 0x40 && byte <= 0x7e)
      break;
  }
  return sequence;
}

LineReader::End LineReader::readTerminal(std::string_view prompt, std::string &line) {
  setTerminal(); // again: a shell that stopped and continued the program may have set its own
  show(prompt);
  bool isPaste = false;
  std::string echo; // shown when everything that has come was looked at
  for (;;) {
    if (!hasMore()) {
      show(echo);
      echo.clear();
    }
    int byte = next();
    if (byte == '\r' && isPaste)
      byte = '\n';
    if (byte == interrupted) {
      show(echo + "^C\n");
      line.clear();
      return End::Interrupt;
    }
    if (byte == endOfInput || (byte == ctrlD && line.empty())) {
      show(echo + "\n");
      return End::Input;
    }
    if (byte == escape) {
      std::string sequence = readEscape();
      isPaste = sequence == "[200~" || (isPaste && sequence != "[201~");
      continue;
    }
    if (byte == '\n' && !isPaste) {
      show(echo + "\n");
      return End::Line;
    }
    if (byte == backspace || byte == rubout || byte == ctrlU || byte == ctrlW) {
      show(echo);
      echo.clear();
      size_t start = line.rfind('\n') + 1; // of the line that the cursor is in; 0 if there is but one
      std::string_view before = start ? "" : prompt;
      size_t old = width(before) + width(std::string_view(line).substr(start));
      if (byte == ctrlU)
        line.resize(start);
      else if (byte == ctrlW)
        removeWord(line, start);
      else
        removeCharacter(line, start);
      redraw(before, std::string_view(line).substr(start), old);
    } else if (byte >= ' ' || byte == '\n' || byte == '\t') {
      line += char(byte);
      echo += char(byte);
    }
  }
}

} // namespace llmc::cli
