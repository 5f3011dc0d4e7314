// The switch saves what a called function has to keep, by the System V convention of x86-64.
#include "runtime/device/simt/Fiber.h"

#include <cstdlib>
#include <new>
#include <sys/mman.h>

#if !defined(__x86_64__)
#error "the switch between fibers is written for x86-64 only"
#endif

extern "C" void llmc_simt_enter();

// llmc_simt_enter: what a new fiber "returns" to; the address of the fiber stands in rbx.
asm(R"(
.text
.globl llmc_simt_switch
.hidden llmc_simt_switch
.type llmc_simt_switch, @function
llmc_simt_switch:
  endbr64
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size llmc_simt_switch, .-llmc_simt_switch
.globl llmc_simt_enter
.hidden llmc_simt_enter
.type llmc_simt_enter, @function
llmc_simt_enter:
  endbr64
  movq %rbx, %rdi
  callq *%r12
  ud2
.size llmc_simt_enter, .-llmc_simt_enter
)");

namespace llmc::simt {

Fiber::Fiber() {
  void *memory = mmap(nullptr, guardBytes + stackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw std::bad_alloc();
  stack = static_cast<uint8_t *>(memory);
  mprotect(stack, guardBytes, PROT_NONE);
}

Fiber::~Fiber() { munmap(stack, guardBytes + stackBytes); }

void Fiber::begin(Fiber *self) {
  self->body(*self, self->context);
  abort(); // a body never returns
}

void Fiber::restart(Body newBody, void *newContext) {
  body = newBody;
  context = newContext;
  // As llmc_simt_switch leaves a stack: six registers, then the address to return to. The stack is a multiple
  // of 16 there, as it has to be before a call.
  auto *top = reinterpret_cast<uint64_t *>(stack + guardBytes + stackBytes - 64 - number * 1088 % 4096);
  *--top = uint64_t(&llmc_simt_enter);
  *--top = 0;                // rbp
  *--top = uint64_t(this);   // rbx
  *--top = uint64_t(&begin); // r12
  *--top = 0, *--top = 0, *--top = 0;
  place = top;
}

} // namespace llmc::simt
