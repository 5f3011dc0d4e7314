/* llmc.h and module_abi.h by themselves, as C11; header_is_cpp.cpp includes this file as C++17. Linked, so
 * that every function that the header declares is known to exist in the library. */
#include <llmc/llmc.h>

#include <llmc/llmc.h> /* twice does no harm */
#include <llmc/module_abi.h>

int main(void) {
  llmc_session_params params;
  llmc_session_params_init(&params, sizeof params);
  return params.struct_size == sizeof params && llmc_abi_version() == LLMC_ABI_VERSION ? 0 : 1;
}
