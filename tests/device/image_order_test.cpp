// Which of a kernel's images a GPU takes, over the stub of the driver: machine code, PTX, and their order.
#include "runtime/device/Devices.h"
#include "tests/device/stub_cuda.h"

#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

using namespace llmc;

namespace {

constexpr uint32_t both = 2; ///< kernels

/// Images made by hand. The first kernel has one of each sort, in no order; the second PTX for sm_80.
class ImageOrder : public testing::Test {
protected:
  ImageOrder() {
    module.n_kernels = both;
    program.program = &module;
    program.kernels = kernels, program.launches = launches, program.n_launches = both;
    addPtx(0, "80");
    addCubin(0, 90, false);
    addImage(0, LLMC_IMAGE_BITCODE, 0, false, "BC");
    addPtx(0, "90a");
    addCubin(0, 86, false);
    addPtx(0, "90");
    addCubin(0, 80, false);
    addCubin(0, 90, true);
    addPtx(1, "80");
  }
  void SetUp() override {
    unsetenv("LLMC_STUB_CODE");
    llmc_stub_refuse("");
  }
  void TearDown() override {
    llmc_stub_refuse("");
    llmc_stub_arch(90);
    EXPECT_EQ(llmc_stub_left(), 0u);
  }

  void addImage(uint32_t kernel, uint32_t kind, uint32_t arch, bool isExact, std::string bytes) {
    texts.push_back(std::make_unique<std::string>(std::move(bytes)));
    llmc_device_image image = {};
    image.kernel = kernel, image.kind = kind, image.arch = arch, image.is_exact = isExact;
    image.data = texts.back()->c_str(), image.size = texts.back()->size();
    images.push_back(image);
  }
  void addPtx(uint32_t kernel, const std::string &arch) {
    addImage(kernel, LLMC_IMAGE_PTX, uint32_t(std::stoul(arch)), arch.back() == 'a',
             ".version 8.0\n.target sm_" + arch + "\n.visible .entry one()\n");
  }
  void addCubin(uint32_t kernel, uint32_t arch, bool isExact) {
    Elf64_Ehdr header = {};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_flags = arch | (isExact ? 0x800 : 0); // EF_CUDA_ACCELERATORS
    addImage(kernel, LLMC_IMAGE_CUBIN, arch, isExact,
             std::string(reinterpret_cast<const char *>(&header), sizeof header));
  }
  /// A load on a device of this architecture.
  llmc_status load(uint32_t arch) {
    program.images = images.data(), program.n_images = images.size();
    llmc_stub_arch(arch);
    llmc_stub_fail_at(0);
    std::unique_ptr<Device> device;
    if (llmc_status status = openCuda({}, "", device))
      return status;
    DeviceUse use(*device);
    std::unique_ptr<DeviceCode> code;
    return device->load(program, "a model", [](uint64_t, uint64_t) { return true; }, code);
  }

  llmc_module module = {};
  llmc_device program = {};
  llmc_device_kernel kernels[both] = {{0, 1, 0, 0, 0}, {1, 1, 0, 0, 0}};
  llmc_device_launch launches[both] = {{"one", 32, 1, 0, UINT32_MAX, 0, 1, 0, 1},
                                       {"two", 32, 1, 0, UINT32_MAX, 0, 1, 0, 1}};
  std::vector<llmc_device_image> images;
  std::vector<std::unique_ptr<std::string>> texts;
};

/// All that may run there is tried, best first; nothing else is.
TEST_F(ImageOrder, has_all_that_runs_there_best_first) {
  for (auto [arch, expected] : {std::pair{80u, "cubin sm_80, PTX sm_80"},
                                {86u, "cubin sm_86, cubin sm_80, PTX sm_80"},
                                {90u, "cubin sm_90a, cubin sm_90, PTX sm_90a, PTX sm_90, PTX sm_80"},
                                {100u, "PTX sm_90, PTX sm_80"},
                                {120u, "PTX sm_90, PTX sm_80"}}) {
    llmc_stub_refuse("sm_");
    EXPECT_EQ(load(arch), LLMC_EIO) << arch;
    EXPECT_NE(std::string(lastError()).find("CUDA_ERROR_UNSUPPORTED_PTX_VERSION"), std::string::npos);
    EXPECT_STREQ(llmc_stub_images(), expected) << arch;
    llmc_stub_refuse("");
    EXPECT_EQ(load(arch), LLMC_OK) << arch << ": " << lastError();
    const std::string all = expected;
    EXPECT_EQ(llmc_stub_images(), all.substr(0, all.find(',')) + ", PTX sm_80") << "the second kernel's, too";
  }
}

TEST_F(ImageOrder, goes_on_with_ptx_behind_a_refused_cubin) {
  llmc_stub_refuse("cubin");
  EXPECT_EQ(load(90), LLMC_OK) << lastError();
  EXPECT_STREQ(llmc_stub_images(), "cubin sm_90a, cubin sm_90, PTX sm_90a, PTX sm_80");
  EXPECT_EQ(load(80), LLMC_OK) << lastError();
  EXPECT_STREQ(llmc_stub_images(), "cubin sm_80, PTX sm_80, PTX sm_80");
}

TEST_F(ImageOrder, without_an_image_that_runs_there_is_one_sentence) {
  EXPECT_EQ(load(75), LLMC_EABI);
  EXPECT_STREQ(lastError(), "a model: its kernel 'one' cannot run on cuda:0, which is sm_75");
  EXPECT_STREQ(llmc_stub_images(), "");
}

} // namespace
