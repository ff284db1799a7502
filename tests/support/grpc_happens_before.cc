// Tells ThreadSanitizer what gRPC promises: what happens before an operation is started happens
// before its completion is delivered, and the like. Linked into the tests of a thread-sanitized
// build.
//
// Why: Debian's gRPC is not instrumented, so that TSan sees none of its atomics and mutexes and
// takes every call that begins on one thread and ends on another for a race. A suppression would
// match the frames of gRPC below every handler of ours and so hide our own races. Here the missing
// edges are drawn instead, one object at a time: functions of libgrpc are defined anew, before
// those of the library, draw an edge and go on to those. With
// TSAN_OPTIONS=ignore_noninstrumented_modules=1 nothing else is needed.
//
// The functions with mangled names are inside gRPC 1.51; where another version does not have them,
// they are never called and the false reports come back.
//
// This file is compiled without -fsanitize=thread: its own lock must order nobody.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <link.h>

#include <atomic>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);

namespace {

// The library's own function behind one of ours.
template <typename Function>
Function* Next(Function*, const char* symbol) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, symbol));
}

class SpinLock {
 public:
  SpinLock() {
    while (held_.test_and_set(std::memory_order_acquire)) {
    }
  }
  ~SpinLock() { held_.clear(std::memory_order_release); }

 private:
  static inline std::atomic_flag held_ = ATOMIC_FLAG_INIT;
};

char server_started;  // its address is what handlers acquire

// ---- Completions of the callback API: a functor that gRPC calls.

using Functor = grpc_completion_queue_functor;
using Run = void (*)(Functor*, int);

std::unordered_map<Functor*, Run>& Originals() {
  static auto& originals = *new std::unordered_map<Functor*, Run>;
  return originals;
}

using Range = std::pair<uintptr_t, uintptr_t>;

bool IsCode(Run run) {
  static const auto& segments = *[] {
    auto* const code = new std::vector<Range>;
    const auto add = [](dl_phdr_info* info, size_t, void* out) {
      for (int i = 0; i < info->dlpi_phnum; ++i) {
        const auto& segment = info->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
        const uintptr_t begin = info->dlpi_addr + segment.p_vaddr;
        static_cast<std::vector<Range>*>(out)->emplace_back(begin, begin + segment.p_memsz);
      }
      return 0;
    };
    dl_iterate_phdr(add, code);
    return code;
  }();
  const auto at = reinterpret_cast<uintptr_t>(run);
  for (const auto& [begin, end] : segments) {
    if (begin <= at && at < end) return true;
  }
  return false;
}

void Deliver(Functor* functor, int ok) {
  Run original;
  {
    const SpinLock lock;
    original = Originals().at(functor);
  }
  __tsan_acquire(functor);
  __tsan_acquire(&server_started);
  original(functor, ok);
}

// A tag of the callback API begins with the function to call, that of a queue with a vtable.
void DeliverThroughUs(void* tag) {
  auto* const functor = static_cast<Functor*>(tag);
  if (functor == nullptr || functor->functor_run == &Deliver || !IsCode(functor->functor_run))
    return;
  const SpinLock lock;
  Originals()[functor] = functor->functor_run;
  functor->functor_run = &Deliver;
}

// ---- Closures, which carry OnDone, OnCancel and alarms to other threads.

// The front of the core's grpc_closure; no installed header has it.
struct Closure {
  void* next;
  void (*run)(void* argument, void* error);
  void* argument;
};

// What a closure holds of its own while it waits.
struct Waiting {
  Closure* closure;
  void (*run)(void* argument, void* error);
  void* argument;
};

void RunClosure(void* wrapped, void* error) {
  __tsan_acquire(wrapped);
  const Waiting waiting = *static_cast<Waiting*>(wrapped);
  delete static_cast<Waiting*>(wrapped);
  waiting.closure->run = waiting.run;  // timers are set again
  waiting.closure->argument = waiting.argument;
  waiting.run(waiting.argument, error);
}

void RunThroughUs(Closure* closure) {
  if (closure->run == &RunClosure) return;
  auto* const waiting = new Waiting{closure, closure->run, closure->argument};
  closure->run = &RunClosure;
  closure->argument = waiting;
  __tsan_release(waiting);
}

// ---- A server's call: its two counters, whose last decrement may be unseen, follow the vtable.

void AcquireCounters(void* server_callback_call) {
  char* const counters = static_cast<char*>(server_callback_call) + sizeof(void*);
  __tsan_acquire(counters);                // on_cancel_conditions_remaining_
  __tsan_acquire(counters + sizeof(int));  // callbacks_outstanding_
}

// ---- Mutexes in inline code of gRPC's headers, which is ours to TSan.

extern "C" const char __executable_start;
extern "C" const char etext;

// Only these: locks that gRPC takes inside would order handlers that share nothing else.
bool IsOurs(const void* caller) { return &__executable_start <= caller && caller < &etext; }

}  // namespace

#define RIESZ_NEXT(function) static auto* const next = Next(&function, #function)

extern "C" {

grpc_call_error grpc_call_start_batch(grpc_call* call, const grpc_op* ops, size_t count, void* tag,
                                      void* reserved) {
  RIESZ_NEXT(grpc_call_start_batch);
  __tsan_release(tag);
  return next(call, ops, count, tag, reserved);
}

// grpc_cq_end_op(queue, tag, status, done, ...): a completion, or a new call, is there to deliver.
void _Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl7debian36StatusEPFvS1_P18grpc_cq_completionES1_S6_b(
    void* queue, void* tag, void* status, void* done, void* argument, void* storage,
    bool internal) {
  RIESZ_NEXT(
      _Z14grpc_cq_end_opP21grpc_completion_queuePvN4absl7debian36StatusEPFvS1_P18grpc_cq_completionES1_S6_b);
  DeliverThroughUs(tag);
  __tsan_release(tag);
  next(queue, tag, status, done, argument, storage, internal);
}

grpc_event grpc_completion_queue_next(grpc_completion_queue* queue, gpr_timespec deadline,
                                      void* reserved) {
  RIESZ_NEXT(grpc_completion_queue_next);
  const grpc_event event = next(queue, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) {
    __tsan_acquire(event.tag);
    __tsan_acquire(&server_started);
  }
  return event;
}

grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                       gpr_timespec deadline, void* reserved) {
  RIESZ_NEXT(grpc_completion_queue_pluck);
  const grpc_event event = next(queue, tag, deadline, reserved);
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(tag);
  return event;
}

void grpc_server_start(grpc_server* server) {
  RIESZ_NEXT(grpc_server_start);
  __tsan_release(&server_started);
  next(server);
}

// grpc_core::Executor::Run(closure, status, executor, job)
void _ZN9grpc_core8Executor3RunEP12grpc_closureN4absl7debian36StatusENS_12ExecutorTypeENS_15ExecutorJobTypeE(
    Closure* closure, void* status, int executor, int job) {
  RIESZ_NEXT(
      _ZN9grpc_core8Executor3RunEP12grpc_closureN4absl7debian36StatusENS_12ExecutorTypeENS_15ExecutorJobTypeE);
  RunThroughUs(closure);
  next(closure, status, executor, job);
}

// grpc_timer_init(timer, deadline, closure)
void _Z15grpc_timer_initP10grpc_timerN9grpc_core9TimestampEP12grpc_closure(void* timer,
                                                                           int64_t deadline,
                                                                           Closure* closure) {
  RIESZ_NEXT(_Z15grpc_timer_initP10grpc_timerN9grpc_core9TimestampEP12grpc_closure);
  RunThroughUs(closure);
  next(timer, deadline, closure);
}

// grpc::internal::ServerCallbackCall::ScheduleOnDone(inline_ondone)
void _ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb(void* self, bool inline_ondone) {
  RIESZ_NEXT(_ZN4grpc8internal18ServerCallbackCall14ScheduleOnDoneEb);
  AcquireCounters(self);
  next(self, inline_ondone);
}

// grpc::internal::ServerCallbackCall::CallOnCancel(reactor)
void _ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE(void* self,
                                                                               void* reactor) {
  RIESZ_NEXT(_ZN4grpc8internal18ServerCallbackCall12CallOnCancelEPNS0_13ServerReactorE);
  AcquireCounters(self);
  next(self, reactor);
}

// absl::Mutex::Lock()
void _ZN4absl7debian35Mutex4LockEv(void* self) {
  RIESZ_NEXT(_ZN4absl7debian35Mutex4LockEv);
  next(self);
  if (IsOurs(__builtin_return_address(0))) __tsan_acquire(self);
}

// absl::Mutex::Unlock()
void _ZN4absl7debian35Mutex6UnlockEv(void* self) {
  RIESZ_NEXT(_ZN4absl7debian35Mutex6UnlockEv);
  if (IsOurs(__builtin_return_address(0))) __tsan_release(self);
  next(self);
}

// grpc::Server::UnrefWithPossibleNotify(): a call lets go of its server.
void _ZN4grpc6Server23UnrefWithPossibleNotifyEv(void* self) {
  RIESZ_NEXT(_ZN4grpc6Server23UnrefWithPossibleNotifyEv);
  __tsan_release(self);
  next(self);
}

// grpc::Server::UnrefAndWaitLocked(): Shutdown waits until every call has.
void _ZN4grpc6Server18UnrefAndWaitLockedEv(void* self) {
  RIESZ_NEXT(_ZN4grpc6Server18UnrefAndWaitLockedEv);
  next(self);
  __tsan_acquire(self);
}
}
