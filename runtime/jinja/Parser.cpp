// Statements of a template, by recursive descent.
#include "Parser.h"

#include "ExpressionParser.h"

#include <initializer_list>

namespace llmc::jinja {
namespace {

class Parser : ExpressionParser {
public:
  explicit Parser(std::vector<Token> tokens) : ExpressionParser(std::move(tokens)) {}

  Body run() {
    Body body = statements({});
    if (current().kind != TokenKind::End)
      fail("unexpected '" + current().text + "'");
    return body;
  }

private:
  int loops = 0;

  /// Parses until a block whose name is in `ends`; leaves that name as the current token.
  Body statements(std::initializer_list<std::string_view> ends) {
    Nest guard(*this);
    const int startLine = current().line;
    Body body;
    while (true) {
      const Token &token = current();
      if (token.kind == TokenKind::End) {
        if (ends.size())
          fail("unexpected end of template, expected '" + std::string(*(ends.end() - 1)) + "'", startLine);
        return body;
      }
      if (token.kind == TokenKind::Data) {
        auto stmt = std::make_unique<Stmt>(StmtKind::Data, token.line);
        stmt->value = Value::constant(Text(token.text, false));
        body.push_back(std::move(stmt));
        ++next;
      } else if (token.kind == TokenKind::VariableBegin) {
        auto stmt = std::make_unique<Stmt>(StmtKind::Output, token.line);
        ++next;
        stmt->expr = tuple(true);
        if (current().kind != TokenKind::VariableEnd)
          fail("expected '}}', found " + describe());
        ++next;
        body.push_back(std::move(stmt));
      } else {
        ++next; // BlockBegin: outside of tags nothing else is left
        if (current().kind != TokenKind::Name)
          fail("expected the name of a statement, found " + describe());
        if (std::find(ends.begin(), ends.end(), current().text) != ends.end())
          return body;
        body.push_back(statement());
      }
    }
  }

  Body blockBody(std::initializer_list<std::string_view> ends) {
    expectBlockEnd();
    return statements(ends);
  }

  /// A body up to its only end word, which is consumed with its "%}".
  Body wholeBody(std::string_view end) {
    Body body = blockBody({end});
    ++next;
    expectBlockEnd();
    return body;
  }

  StmtPtr statement() {
    const Token word = take();
    const std::string &w = word.text;
    auto make = [&](StmtKind kind) { return std::make_unique<Stmt>(kind, word.line); };
    if (w == "if")
      return ifStatement(make(StmtKind::If));
    if (w == "for")
      return forStatement(make(StmtKind::For));
    if (w == "set")
      return setStatement(make(StmtKind::Set));
    if (w == "macro") {
      auto stmt = make(StmtKind::Macro);
      stmt->name = expectName();
      signature(*stmt);
      macroBody(*stmt, "endmacro");
      return stmt;
    }
    if (w == "call") {
      auto stmt = make(StmtKind::CallBlock);
      if (isOp("("))
        signature(*stmt);
      stmt->expr = expression();
      if (stmt->expr->kind != ExprKind::Call)
        fail("'call' needs a call");
      macroBody(*stmt, "endcall");
      return stmt;
    }
    if (w == "filter") {
      auto stmt = make(StmtKind::FilterBlock);
      stmt->expr = filters(node(ExprKind::Captured, word.line), true);
      stmt->bodies.push_back(wholeBody("endfilter"));
      return stmt;
    }
    if (w == "generation") {
      auto stmt = make(StmtKind::Scope);
      stmt->bodies.push_back(wholeBody("endgeneration"));
      return stmt;
    }
    if (w == "with") {
      auto stmt = make(StmtKind::With);
      while (current().kind != TokenKind::BlockEnd) {
        if (!stmt->targets.empty())
          expectOp(",");
        stmt->targets.push_back(target(false));
        expectOp("=");
        stmt->conditions.push_back(expression());
      }
      stmt->bodies.push_back(wholeBody("endwith"));
      return stmt;
    }
    if (w == "break" || w == "continue") {
      if (!loops)
        fail("'" + w + "' outside of a loop", word.line);
      auto stmt = make(w == "break" ? StmtKind::Break : StmtKind::Continue);
      expectBlockEnd();
      return stmt;
    }
    fail("unknown statement '" + w + "'", word.line);
  }

  StmtPtr ifStatement(StmtPtr stmt) {
    ++conditional;
    stmt->conditions.push_back(tuple(false));
    while (true) {
      stmt->bodies.push_back(blockBody({"elif", "else", "endif"}));
      const std::string word = take().text;
      if (word == "elif") {
        stmt->conditions.push_back(tuple(false));
        continue;
      }
      if (word == "else")
        stmt->bodies.push_back(wholeBody("endif"));
      else
        expectBlockEnd();
      break;
    }
    --conditional;
    return stmt;
  }

  StmtPtr forStatement(StmtPtr stmt) {
    stmt->target = target(false, true);
    if (!skipName("in"))
      fail("expected 'in', found " + describe());
    stmt->expr = tuple(false, "recursive");
    if (skipName("if"))
      stmt->condition = expression();
    stmt->recursive = skipName("recursive");
    ++loops;
    stmt->bodies.push_back(blockBody({"else", "endfor"}));
    --loops;
    if (take().text == "else")
      stmt->bodies.push_back(wholeBody("endfor"));
    else
      expectBlockEnd();
    return stmt;
  }

  StmtPtr setStatement(StmtPtr stmt) {
    stmt->target = target(true);
    if (skipOp("=")) {
      stmt->expr = tuple(true);
      expectBlockEnd();
      return stmt;
    }
    stmt->kind = StmtKind::SetBlock;
    stmt->expr = filters(node(ExprKind::Captured, stmt->line), false);
    stmt->bodies.push_back(wholeBody("endset"));
    return stmt;
  }

  void macroBody(Stmt &stmt, std::string_view end) {
    const int outerLoops = std::exchange(loops, 0);
    const bool outerVarargs = std::exchange(sawVarargs, false), outerKwargs = std::exchange(sawKwargs, false);
    stmt.bodies.push_back(wholeBody(end));
    stmt.usesVarargs = std::exchange(sawVarargs, outerVarargs);
    stmt.usesKwargs = std::exchange(sawKwargs, outerKwargs);
    loops = outerLoops;
  }

  void signature(Stmt &stmt) {
    expectOp("(");
    bool first = true;
    for (; !isOp(")"); first = false) {
      if (!first) {
        expectOp(",");
        if (isOp(")"))
          break;
      }
      std::string name = assignable(expectName());
      ExprPtr value;
      if (skipOp("="))
        value = expression();
      else if (!stmt.parameters.empty() && stmt.parameters.back().second)
        fail("parameter '" + name + "' without a default follows one with a default");
      stmt.parameters.emplace_back(std::move(name), std::move(value));
    }
    expectOp(")");
  }

  std::string assignable(std::string name) {
    for (std::string_view reserved : {"true", "false", "none", "True", "False", "None"})
      if (name == reserved)
        fail("cannot assign to '" + name + "'");
    return name;
  }

  ExprPtr target(bool withNamespace, bool endsAtIn = false) {
    const int line = current().line;
    auto one = [&]() -> ExprPtr {
      Nest guard(*this);
      if (skipOp("(")) {
        ExprPtr inner = target(withNamespace);
        expectOp(")");
        return inner;
      }
      const int nameLine = current().line;
      std::string name = expectName();
      if (withNamespace && skipOp(".")) {
        ExprPtr ref = node(ExprKind::NamespaceRef, nameLine);
        ref->name = std::move(name);
        ref->value = Value::constant(Text(expectName(), false));
        return ref;
      }
      ExprPtr result = node(ExprKind::Name, nameLine);
      result->name = assignable(std::move(name));
      return result;
    };
    ExprPtr first = one();
    if (!isOp(","))
      return first;
    ExprPtr result = node(ExprKind::Tuple, line);
    add(*result, std::move(first));
    while (skipOp(",") && !isOp("=") && !isOp(")") && !(endsAtIn && isName("in")))
      add(*result, one());
    return result;
  }
};

} // namespace

Body parseTemplate(std::string_view source) { return Parser(tokenize(source)).run(); }

} // namespace llmc::jinja
