//===- ptxas_test.cpp - a program in place of NVIDIA's assembler ----------===//
#include "tools/support/Ptxas.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace fs = std::filesystem;

namespace {

class PtxasTest : public testing::Test {
protected:
  void SetUp() override {
    folder = fs::path(testing::TempDir()) / ("ptxas_test_" + std::to_string(getpid()));
    fs::create_directories(folder / "bin");
    std::ofstream(folder / "in.ptx") << ".version 7.0\n";
  }
  void TearDown() override { fs::remove_all(folder); }

  /// A script whose arguments are as ptxas has them: -arch=A -o OUT IN.
  llmc::Ptxas script(const std::string &text, unsigned seconds = 20) {
    const fs::path file = folder / "bin" / "ptxas";
    std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(file, fs::perms::owner_all);
    llmc::CommandLimits limits;
    limits.seconds = seconds;
    return llmc::Ptxas(file, limits);
  }
  std::string assemble(const llmc::Ptxas &program) {
    code = "before";
    return program.assemble(folder / "in.ptx", "sm_90", code);
  }

  fs::path folder;
  std::string code;
};

TEST_F(PtxasTest, GivesWhatItWrote) {
  EXPECT_EQ(
      assemble(script(R"([ "$1 $2" = "-arch=sm_90 -o" ] && { printf '\177ELF for '; cat "$4"; } > "$3")")),
      "");
  EXPECT_EQ(code, "\177ELF for .version 7.0\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 2) << "the result stays in no file";
}

TEST_F(PtxasTest, EveryFailureIsOneSentence) {
  const std::string start = (folder / "bin" / "ptxas").string() + ": cannot assemble for sm_90: ";
  EXPECT_EQ(assemble(script("echo; echo 'ptxas fatal: no such gpu'; echo more; exit 1")),
            start + "ptxas fatal: no such gpu");
  EXPECT_EQ(assemble(script("exit 7")), start + "it failed with status 7");
  EXPECT_EQ(assemble(script("kill -SEGV $$")), start + "it was ended by signal 11");
  EXPECT_EQ(assemble(script("exec sleep 60", 1)), start + "it did not end within 1 seconds");
  EXPECT_EQ(assemble(script("exit 0")), start + "what it wrote is no machine code");
  EXPECT_EQ(assemble(script("echo text > $3")), start + "what it wrote is no machine code");
}

TEST_F(PtxasTest, TellsItsVersion) {
  std::string text;
  EXPECT_EQ(script("echo 'release 13.0, V13.0.88'; echo 'Build cuda_13'").readVersion(text), "");
  EXPECT_EQ(text, "release 13.0, V13.0.88\nBuild cuda_13\n");
  EXPECT_EQ(llmc::Ptxas::versionNumber(text), "13.0.88");
  EXPECT_EQ(llmc::Ptxas::versionNumber("another\n"), "another");
  EXPECT_NE(script("exit 1").readVersion(text), "");
}

TEST_F(PtxasTest, IsLookedForWhereToolkitsStand) {
  script("exit 0");
  const std::string here = folder / "bin" / "ptxas", bin = folder / "bin";
  std::string path;
  setenv("PATH", "/nonexistent", 1);
  unsetenv("CUDA_HOME");
  unsetenv("CUDA_PATH");
  EXPECT_EQ(llmc::findPtxas("", path), "");
  EXPECT_EQ(path, "");
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"}) {
    setenv(variable, folder.c_str(), 1);
    EXPECT_EQ(llmc::findPtxas("", path), "");
    EXPECT_EQ(path, here) << variable;
    unsetenv(variable);
  }
  setenv("PATH", ("/nonexistent:" + bin).c_str(), 1);
  EXPECT_EQ(llmc::findPtxas("", path), "");
  EXPECT_EQ(path, here);
  EXPECT_EQ(llmc::findPtxas("none", path), "");
  EXPECT_EQ(path, "");
  EXPECT_EQ(llmc::findPtxas(folder / "in.ptx", path),
            "expected a program or none but got '" + (folder / "in.ptx").string() + "'");
}

} // namespace
