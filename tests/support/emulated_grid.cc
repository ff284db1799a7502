#include "tests/support/emulated_grid.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

// void riesz_switch_stack(void** from, void* to): keeps the registers that a call must keep on the
// stack that is left, stores its pointer, and returns on the other stack. (swapcontext asks the
// kernel for the signal mask each time: 50 times slower.)
#ifndef __x86_64__
#error "the emulated grid switches stacks on x86-64 only"
#endif
asm(R"(
.text
.globl riesz_switch_stack
.type riesz_switch_stack, @function
riesz_switch_stack:
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
.size riesz_switch_stack, . - riesz_switch_stack
)");
extern "C" void riesz_switch_stack(void** from, void* to);

namespace riesz::emulated {
namespace {

constexpr size_t kStackBytes = 256 << 10;  // touched pages alone take memory
constexpr int kLanes = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "emulated grid: %s\n", what);
  std::abort();
}

// Threads that wait for each other: `waiting` of them so far, for the end of `round`.
struct Rendezvous {
  int waiting = 0;
  uint64_t round = 0;
};

struct Warp {
  Rendezvous rendezvous;
  // Two sets by turns: a fast lane writes the next while a slow one still reads the last.
  uint64_t values[2][kLanes] = {};
};

struct Fiber {
  Fiber() {
    // Not from the heap: tests count what operations take there.
    stack = static_cast<char*>(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (stack == MAP_FAILED) Fail("no memory for a stack");
  }
  ~Fiber() { munmap(stack, kStackBytes); }

  char* stack = nullptr;
  void* pointer = nullptr;  // where it goes on
  size_t place = 0;         // among the block's fibres
  ThreadIndices indices;
  const Rendezvous* waits_at = nullptr;
  uint64_t waits_for = 0;  // its round
  int collectives = 0;     // of this thread, for the turns of Warp::values
  bool busy = false;       // a thread is under way on it
};

struct Block {
  const std::function<void()>* body = nullptr;
  int threads = 0;
  int started = 0;
  int ended = 0;
  ThreadOrder order = ThreadOrder::kAscending;
  ThreadIndices indices;
  unsigned char* shared = nullptr;
  Rendezvous barrier;
  std::vector<Warp> warps;
  std::vector<Fiber*> fibers;  // those in use
};

thread_local Block* block = nullptr;
thread_local Fiber* fiber = nullptr;  // null: the scheduler runs
thread_local void* scheduler = nullptr;

// Where AddressSanitizer finds the stack that is entered; it is told of every change.
class StackChange {
 public:
#ifdef __SANITIZE_ADDRESS__
  explicit StackChange(const Fiber* to) : from_scheduler_(fiber == nullptr) {
    __sanitizer_start_switch_fiber(&fake_, to == nullptr ? scheduler_stack : to->stack,
                                   to == nullptr ? scheduler_stack_bytes : kStackBytes);
  }
  // On the stack that was entered, before anything else.
  static void Entered(void* fake) {
    const void* stack = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake, &stack, &bytes);
    if (!entered_from_scheduler) return;
    scheduler_stack = stack;
    scheduler_stack_bytes = bytes;
  }
  void Leaving() { entered_from_scheduler = from_scheduler_; }
  void Back() { Entered(fake_); }

 private:
  static thread_local const void* scheduler_stack;
  static thread_local size_t scheduler_stack_bytes;
  static thread_local bool entered_from_scheduler;
  void* fake_ = nullptr;
  const bool from_scheduler_;
#else
  explicit StackChange(const Fiber*) {}
  static void Entered(void*) {}
  void Leaving() {}
  void Back() {}
#endif
};
#ifdef __SANITIZE_ADDRESS__
thread_local const void* StackChange::scheduler_stack = nullptr;
thread_local size_t StackChange::scheduler_stack_bytes = 0;
thread_local bool StackChange::entered_from_scheduler = false;
#endif

// Goes on where `next` was left, or in the scheduler where it is null; returns when somebody comes
// back here.
void SwitchTo(Fiber* next) {
  StackChange change(next);
  change.Leaving();
  void** from = fiber == nullptr ? &scheduler : &fiber->pointer;
  fiber = next;
  current_thread = next == nullptr ? nullptr : &next->indices;
  riesz_switch_stack(from, next == nullptr ? scheduler : next->pointer);
  change.Back();
}

bool Ready(const Fiber& f) { return f.busy && f.waits_at->round != f.waits_for; }

// Runs threads that have not begun, one after the other: threads that never wait share a fibre.
void FiberMain() {
  StackChange::Entered(nullptr);
  for (;;) {
    while (block->started < block->threads) {
      const int turn = block->started++;
      const int thread = block->order == ThreadOrder::kAscending ? turn : block->threads - 1 - turn;
      fiber->busy = true;
      fiber->collectives = 0;
      fiber->indices = block->indices;
      fiber->indices.thread.x = static_cast<unsigned>(thread);
      (*block->body)();
      fiber->busy = false;
      ++block->ended;
      if (block->barrier.waiting > 0) Fail("a thread ended while others wait at a barrier");
    }
    SwitchTo(nullptr);
  }
}

void Prepare(Fiber& fresh) {
  // As riesz_switch_stack leaves a stack: six registers and where to return to; aligned as after a
  // call.
  auto* top = reinterpret_cast<void**>(fresh.stack + kStackBytes) - 2;
  *top = reinterpret_cast<void*>(&FiberMain);
  fresh.pointer = top - 6;
}

// The next thread in turn that can go on; null: threads have yet to begin, or none can.
Fiber* NextReady(const Fiber& after) {
  if (block->started < block->threads) return nullptr;
  const size_t count = block->fibers.size();
  for (size_t step = 1; step < count; ++step) {
    Fiber* next = block->fibers[(after.place + step) % count];
    if (Ready(*next)) return next;
  }
  return nullptr;
}

void Wait(Rendezvous& at, int party) {
  if (++at.waiting == party) {
    at.waiting = 0;
    ++at.round;
    return;
  }
  Fiber& self = *fiber;
  self.waits_at = &at;
  self.waits_for = at.round;
  SwitchTo(NextReady(self));
  self.waits_at = nullptr;
}

Warp& OwnWarp(unsigned mask) {
  if (mask != kAllLanes) Fail("a collective of less than a whole warp");
  return block->warps[current_thread->thread.x / kLanes];
}

void RunBlock(std::vector<std::unique_ptr<Fiber>>& pool) {
  while (block->started < block->threads) {
    const size_t place = block->fibers.size();
    if (place == pool.size()) {
      pool.push_back(std::make_unique<Fiber>());
      Prepare(*pool.back());
    }
    pool[place]->place = place;
    block->fibers.push_back(pool[place].get());
    SwitchTo(block->fibers.back());
  }
  while (block->ended < block->threads) {
    Fiber* ready = nullptr;
    for (Fiber* f : block->fibers) {
      if (Ready(*f)) ready = f;
    }
    if (ready == nullptr) Fail("threads wait for each other in vain");
    SwitchTo(ready);
  }
}

}  // namespace

void RunGrid(int64_t blocks, int64_t rows, int threads, int64_t shared_bytes, ThreadOrder order,
             const std::function<void()>& thread) {
  if (threads <= 0 || threads > 1024 || threads % kLanes != 0) Fail("blocks are whole warps");
  if (blocks <= 0 || blocks >= int64_t{1} << 31 || rows <= 0 || rows >= 1 << 16) {
    Fail("a grid outside CUDA's limits");
  }
  thread_local std::vector<std::unique_ptr<Fiber>> pool;
  const std::unique_ptr<unsigned char[]> shared(
      shared_bytes > 0 ? new unsigned char[static_cast<size_t>(shared_bytes)] : nullptr);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t b = 0; b < blocks; ++b) {
      if (shared_bytes > 0) std::memset(shared.get(), 0xa5, static_cast<size_t>(shared_bytes));
      Block now;
      now.body = &thread;
      now.threads = threads;
      now.order = order;
      now.shared = shared.get();
      now.indices.block = {static_cast<unsigned>(b), static_cast<unsigned>(row), 0};
      now.indices.block_dim = {static_cast<unsigned>(threads), 1, 1};
      now.indices.grid_dim = {static_cast<unsigned>(blocks), static_cast<unsigned>(rows), 1};
      now.warps.resize(static_cast<size_t>(threads / kLanes));
      block = &now;
      RunBlock(pool);
      block = nullptr;
    }
  }
}

unsigned char* BlockMemory() { return block->shared; }

void SyncBlock() {
  if (block->ended > 0) Fail("a barrier that some threads have left");
  Wait(block->barrier, block->threads);
}

void SyncWarp(unsigned mask) { Wait(OwnWarp(mask).rendezvous, kLanes); }

int Lane() { return static_cast<int>(current_thread->thread.x) % kLanes; }

uint64_t Exchange(unsigned mask, uint64_t value, int source) {
  Warp& warp = OwnWarp(mask);
  uint64_t* values = warp.values[fiber->collectives++ % 2];
  values[Lane()] = value;
  Wait(warp.rendezvous, kLanes);
  return values[source];
}

unsigned Match(unsigned mask, unsigned value) {
  Warp& warp = OwnWarp(mask);
  uint64_t* values = warp.values[fiber->collectives++ % 2];
  values[Lane()] = value;
  Wait(warp.rendezvous, kLanes);
  unsigned peers = 0;
  for (int lane = 0; lane < kLanes; ++lane) peers |= (values[lane] == value ? 1u : 0u) << lane;
  return peers;
}

}  // namespace riesz::emulated
