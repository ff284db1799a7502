#include "client/cli/flow_watch.h"

#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/cli/flow_text.h"
#include "client/cli/progress.h"
#include "core/status_macros.h"

namespace riesz::cli {

absl::StatusOr<v1::Flow> Watch(Session& session, const WatchOptions& options) {
  RIESZ_ASSIGN_OR_RETURN(Client * client, session.client());
  v1::WatchFlowRequest request;
  request.set_id(options.id);
  request.set_until_idle(!options.follow);
  const double whole = std::floor(options.interval_s);
  request.mutable_min_interval()->set_seconds(static_cast<int64_t>(whole));
  request.mutable_min_interval()->set_nanos(
      static_cast<int32_t>((options.interval_s - whole) * 1e9));

  v1::Flow last;
  absl::Status status;
  {
    Progress progress(Progress::Stderr(session.output().chatty()),
                      absl::StrCat("flow ", options.id));
    status = client->WatchFlow(request, [&](const v1::Flow& flow) {
      last = flow;
      progress.UpdateSteps(flow.step(), flow.target_step(), flow.steps_per_second(),
                           MeasurementText(flow));
      if (session.output().json() && options.json_lines) {
        v1::WatchFlowResponse response;
        *response.mutable_flow() = flow;
        session.output().Answer(response, "");
      }
      return true;
    });
  }
  if (session.interrupted() != 0 && last.state() != v1::FLOW_STATE_FAILED) {
    session.output().Note(
        absl::StrCat("flow '", options.id, "' goes on on the server (step ", last.step(), " of ",
                     last.target_step(), "); `riesz flow watch ", options.id,
                     "` shows it, `riesz flow cancel ", options.id, "` stops it"));
  }
  RIESZ_RETURN_IF_ERROR(status);
  if (last.state() == v1::FLOW_STATE_FAILED) {
    return absl::FailedPreconditionError(absl::StrCat("flow '", options.id, "' failed at step ",
                                                      last.step(), ": ", last.error(),
                                                      "; reset or fork it"));
  }
  return last;
}

}  // namespace riesz::cli
