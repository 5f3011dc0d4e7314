// What is refused in the tables of code for devices.
#include "runtime/Error.h"
#include "runtime/Module.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

using namespace llmc;

namespace {

/// A module with one device that has one kernel, each part to be spoiled.
struct Tables {
  char ptx[8] = ".target";
  llmc_kernel kernel = {};
  llmc_device_kernel entry = {0, 1, 0, 0, 0};
  llmc_device_launch launch = {"k", 128, 1, 0, ~0u, 1, 256, 0, 0};
  llmc_device_image images[2] = {{0, LLMC_IMAGE_PTX, 80, 0, 7, 0, ptx},
                                 {0, LLMC_IMAGE_BITCODE, 0, 0, 7, 0, ptx}};
  llmc_module program = {};
  llmc_device device = {"cuda", &program, &entry, &launch, images, 2, 1, {0, 64, 16, 0, 576, 512}};

  Tables() {
    program.n_kernels = 1;
    program.vocab = 1000;
    program.kernels = &kernel;
    program.n_devices = 1;
    program.devices = &device;
  }
};

void expectRefusal(const std::function<void(Tables &)> &spoil, const char *words) {
  Tables tables;
  spoil(tables);
  EXPECT_EQ(checkDeviceTables(tables.program, 0, "m.so"), LLMC_EFORMAT) << words;
  EXPECT_NE(std::string(lastError()).find(words), std::string::npos) << lastError();
}

TEST(DeviceTables, a_module_that_is_the_program_of_its_device) {
  Tables tables;
  EXPECT_EQ(checkDeviceTables(tables.program, 0, "m.so"), LLMC_OK) << lastError();
}

TEST(DeviceTables, bad_fields) {
  expectRefusal([](Tables &t) { t.program.n_devices = 17; }, "'n_devices' is 17");
  expectRefusal([](Tables &t) { t.device.name = nullptr; }, "device 0 has no name");
  expectRefusal([](Tables &t) { t.device.kernels = nullptr; },
                "device 0 has no name, no program or no kernels");
  expectRefusal([](Tables &t) { t.device.launches = nullptr; },
                "device 0 has no name, no program or no kernels");
  expectRefusal([](Tables &t) { t.device.n_launches = uint64_t(1) << 40; }, "'n_launches' is 1099511627776");
  expectRefusal([](Tables &t) { t.entry.n_launches = 0; }, "device 'cuda': kernel 0: 'n_launches' is 0");
  std::vector<llmc_device_launch> many;
  expectRefusal(
      [&](Tables &t) {
        many.assign(65, t.launch);
        t.device.launches = many.data();
        t.entry.n_launches = 65, t.device.n_launches = 65;
      },
      "'n_launches' is 65, expected 1 to 64");
  expectRefusal([](Tables &t) { t.entry.first_launch = ~0u; }, "kernel 0: 'n_launches' is 1");
  expectRefusal([](Tables &t) { t.entry.first_launch = 1; }, "kernel 0: 'n_launches' is 1");
  expectRefusal([](Tables &t) { t.launch.entry = ""; }, "device 'cuda': launch 0: 'entry'");
  expectRefusal([](Tables &t) { t.launch.threads = 48; }, "'threads' is 48, expected a multiple of 32");
  expectRefusal([](Tables &t) { t.launch.threads = 2048; }, "'threads' is 2048");
  expectRefusal([](Tables &t) { t.launch.blocks = 0; }, "'blocks' is 0");
  expectRefusal([](Tables &t) { t.launch.min_rows = 9, t.launch.max_rows = 8; }, "'min_rows' is 9");
  expectRefusal([](Tables &t) { t.launch.min_rows = 2; }, "one for every number of rows");
  expectRefusal([](Tables &t) { t.launch.max_rows = 16; }, "one for every number of rows");
  expectRefusal([](Tables &t) { t.launch.max_row_blocks = 65536; }, "'max_row_blocks' is 65536");
  expectRefusal([](Tables &t) { t.launch.keys_per_block = 64; }, "'max_key_blocks' is 0");
  expectRefusal([](Tables &t) { t.kernel.scratch_per_key = 4, t.launch.blocks = 2; },
                "in a kernel with scratch");
  expectRefusal([](Tables &t) { t.kernel.scratch_per_key = 4, t.entry.common_per_row_key = 4; },
                "no common memory");
  expectRefusal([](Tables &t) { t.images[1].kernel = 1; }, "image 1: 'kernel' is 1");
  expectRefusal([](Tables &t) { t.images[0].kind = 4; }, "image 0: 'kind' is 4");
  expectRefusal([](Tables &t) { t.images[0].data = nullptr; }, "image 0: 'size'");
  expectRefusal([](Tables &t) { t.images[0].size = 6; }, "ends in a NUL");
  expectRefusal([](Tables &t) { t.device.sampling.kernel = 1; }, "sampling 0: 'kernel' is 1");
  expectRefusal([](Tables &t) { t.device.sampling.most = 1025; }, "'most' is 1025");
  expectRefusal([](Tables &t) { t.device.sampling.n_sums = 32; }, "'n_sums' is 32");
  expectRefusal([](Tables &t) { t.device.sampling.row_bytes = 568; }, "'row_bytes' is 568");
  expectRefusal([](Tables &t) { t.device.sampling.work_bytes = 1u << 25; }, "'work_bytes' is 33554432");
}

TEST(DeviceTables, a_program_of_its_own_is_checked_as_a_module) {
  Tables tables;
  llmc_module outer = tables.program;
  tables.program.n_devices = 0;
  EXPECT_EQ(checkDeviceTables(outer, 0, "m.so"), LLMC_EFORMAT);
  EXPECT_NE(std::string(lastError()).find("is no module table"), std::string::npos) << lastError();
  tables.program.n_variants = 1;
  EXPECT_EQ(checkDeviceTables(outer, 0, "m.so"), LLMC_EFORMAT);
  EXPECT_NE(std::string(lastError()).find("variants of its own"), std::string::npos) << lastError();
}

} // namespace
