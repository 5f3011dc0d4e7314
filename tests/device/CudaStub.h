// What tests of the runtime over the stub of a driver begin and end with.
#pragma once

#include "tests/device/StubModel.h"

#include <cstdlib>
#include <gtest/gtest.h>

extern "C" {
int cuCtxPushCurrent_v2(void *);
int cuCtxPopCurrent_v2(void **);
int cuCtxGetCurrent(void **);
}

namespace llmc::test {

class CudaStub : public testing::Test {
protected:
  void SetUp() override {
    setenv("LLMC_STUB_CODE", stubCode.c_str(), 1);
    llmc_stub_fail_at(0);
    llmc_stub_limit(0);
    llmc_stub_refuse("");
    ASSERT_EQ(cuCtxPushCurrent_v2(&ofApplication), 0);
  }
  void TearDown() override {
    void *context = nullptr;
    EXPECT_TRUE(isWhereItWas());
    EXPECT_EQ(cuCtxPopCurrent_v2(&context), 0);
    EXPECT_NE(cuCtxPopCurrent_v2(&context), 0) << "there is another one";
    EXPECT_EQ(llmc_stub_left(), 0u);
  }
  /// The application's context is current, as before all that it has called.
  bool isWhereItWas() const {
    void *context = nullptr;
    return cuCtxGetCurrent(&context) == 0 && context == &ofApplication;
  }
  int ofApplication = 0; ///< the stub only asks which one it is
};

} // namespace llmc::test
