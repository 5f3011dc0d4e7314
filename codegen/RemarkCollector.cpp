//===- RemarkCollector.cpp - what passes say while they run ---------------===//
#include "codegen/RemarkCollector.h"

#include "mlir/IR/Remarks.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace llmc;
using namespace llmc::codegen;

namespace {
class Streamer : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit Streamer(std::shared_ptr<std::vector<PassRemark>> remarks) : remarks(std::move(remarks)) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    std::string kind = kindOf(remark.getRemarkType()), message;
    for (const auto &arg : remark.getArgs()) // the text, without the keys
      message += arg.val;
    remarks->push_back({kind, remark.getRemarkName().str(), message, remark.getLocation()});
  }

private:
  static std::string kindOf(llvm::remarks::Type type) {
    switch (type) {
    case llvm::remarks::Type::Passed:
      return "applied";
    case llvm::remarks::Type::Missed:
      return "missed";
    case llvm::remarks::Type::Failure:
      return "failed";
    default:
      return "analysis";
    }
  }
  std::shared_ptr<std::vector<PassRemark>> remarks;
};
} // namespace

RemarkCollector::RemarkCollector(MLIRContext &context)
    : context(context), remarks(std::make_shared<std::vector<PassRemark>>()),
      handler(&context, [remarks = this->remarks](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Warning ||
            diagnostic.getSeverity() == DiagnosticSeverity::Remark)
          remarks->push_back({diagnostic.getSeverity() == DiagnosticSeverity::Warning ? "warning" : "remark",
                              "", diagnostic.str(), diagnostic.getLocation()});
        return failure(); // the next handler's too
      }) {
  remark::RemarkCategories everything;
  everything.passed = everything.missed = everything.analysis = everything.failed =
      ".*"; // `all` enables none
  // Fails only where another engine is there already: then there are fewer remarks.
  (void)remark::enableOptimizationRemarks(context, std::make_unique<Streamer>(remarks),
                                          std::make_unique<remark::RemarkEmittingPolicyAll>(), everything);
}

RemarkCollector::~RemarkCollector() { context.setRemarkEngine(nullptr); }

std::vector<PassRemark> RemarkCollector::take() {
  std::vector<PassRemark> taken;
  llvm::StringSet<> seen;
  for (PassRemark &remark : std::exchange(*remarks, {})) {
    std::string key;
    llvm::raw_string_ostream(key) << remark.kind << '\0' << remark.name << '\0' << remark.message << '\0'
                                  << remark.loc;
    if (remark.kind == "applied" || seen.insert(key).second)
      taken.push_back(std::move(remark));
  }
  return taken;
}
