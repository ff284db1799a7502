#include "core/termination_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include "core/check.h"

namespace riesz {
namespace {

int pipe_ends[2] = {-1, -1};

// Does nothing but write(2), which a signal handler may. A full pipe holds signals enough.
void Note(int signal_number) {
  const int error = errno;
  const auto byte = static_cast<unsigned char>(signal_number);
  [[maybe_unused]] const ssize_t written = write(pipe_ends[1], &byte, 1);
  errno = error;
}

}  // namespace

TerminationSignals::TerminationSignals() {
  if (pipe_ends[0] < 0) {
    RIESZ_CHECK(pipe2(pipe_ends, O_CLOEXEC) == 0, "a new process has descriptors to spare");
    fcntl(pipe_ends[1], F_SETFL, O_NONBLOCK);
  }
  struct sigaction action = {};
  action.sa_handler = Note;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int TerminationSignals::Wait() const {
  unsigned char byte = 0;
  while (read(pipe_ends[0], &byte, 1) != 1) {
  }
  return byte;
}

}  // namespace riesz
