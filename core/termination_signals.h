// SIGINT and SIGTERM as values that one thread waits for, whichever thread the kernel picks for
// them.
//
// Why not a mask and sigwait: libraries start threads when they are loaded, before main can block
// anything (OpenBLAS does), and a signal that lands there would end the process by default.
//
// Thread safety: Wait may run on any thread, and on several: each signal wakes one of them.
#pragma once

namespace riesz {

class TerminationSignals {
 public:
  // From here on, for the rest of the process, the two signals only wake Wait.
  TerminationSignals();
  // Blocks until one arrives; its number.
  int Wait() const;
};

}  // namespace riesz
