// What every service works with.
#pragma once

namespace riesz {

class Engine;
class Guard;
class RequestLog;

// Borrowed; all three outlive the gRPC server.
struct ServiceContext {
  Engine& engine;
  Guard& guard;
  RequestLog& requests;
};

}  // namespace riesz
