// Flows: creation, control, snapshots, watches.
#include <utility>

#include "core/engine/engine_impl.h"
#include "core/engine/outcome.h"
#include "core/engine/planner.h"
#include "core/error.h"
#include "core/status_macros.h"

namespace riesz {
namespace {

constexpr int64_t kMaxStep = int64_t{1} << 40;

FlowParametersRequest ParametersOf(const FlowInfo& info) {
  return {.step_size = info.spec.step_size,
          .momentum = info.spec.momentum,
          .exponent = info.spec.exponent,
          .directions = {.kind = info.spec.directions.kind,
                         .count = info.spec.directions.count,
                         .seed = info.spec.directions.seed},
          .frozen = info.spec.frozen,
          .measure_every = info.measure_every};
}

template <typename Info>
ResolvedShape ShapeOf(const Info& info) {
  return {.count = info.count, .dim = info.dim, .flow_step = std::nullopt};
}

}  // namespace

Flow::Environment EngineImpl::FlowEnvironment() {
  return {.device = &device(),
          .notifier = &notifier_,
          .clock = options_.clock,
          .drain = &drain_,
          .metrics = options_.metrics,
          .wall_now = options_.wall_now};
}

void EngineImpl::CreateFlow(const CallContext& context, NewFlowRequest request,
                            Callback<FlowInfo> done) {
  struct Making {
    NewFlowRequest request;
    Operand start;
    EnsembleUse target;
    FlowTable::Claim claim;
  };
  auto making = std::make_shared<Making>();
  const auto prepare = [&]() -> absl::Status {
    RIESZ_RETURN_IF_ERROR(GuardDevice());
    RIESZ_RETURN_IF_ERROR(ValidateResourceId(request.id, "id"));
    RIESZ_ASSIGN_OR_RETURN(making->claim, flows_.ClaimId({context.tenant, request.id}));
    RIESZ_ASSIGN_OR_RETURN(making->start, FindOperand(context, request.start, "start"));
    RIESZ_ASSIGN_OR_RETURN(making->target, ensembles_.Use({context.tenant, request.target},
                                                          "flow '" + request.id + "'"));
    return absl::OkStatus();
  };
  if (absl::Status status = prepare(); !status.ok()) {
    making = nullptr;
    return done(std::move(status));
  }
  request.start = EnsembleRef();
  making->request = std::move(request);
  RunOnWorker(context, [this, making, done](const absl::Status& status) {
    absl::StatusOr<FlowInfo> made =
        status.ok() ? MakeFlow(making->request, making->start, making->target, making->claim)
                    : absl::StatusOr<FlowInfo>(status);
    if (!made.ok()) device().Noted(made.status()).IgnoreError();
    *making = Making();
    done(std::move(made));
  });
}

absl::StatusOr<FlowInfo> EngineImpl::MakeFlow(const NewFlowRequest& request, Operand& start,
                                              EnsembleUse& target, FlowTable::Claim& claim) {
  RIESZ_ASSIGN_OR_RETURN(const ResolvedParticles x, start.Materialize(device()));
  const StoredEnsemble& y = target.ensemble();
  RIESZ_RETURN_IF_ERROR(CheckComputable(x.weights != nullptr, x.non_finite, "start"));
  RIESZ_RETURN_IF_ERROR(CheckComputable(y.info.has_weights, y.info.non_finite, "target"));
  FlowInfo info;
  RIESZ_ASSIGN_OR_RETURN(info.spec,
                         PlanFlow(request.parameters, riesz::ShapeOf(x), ShapeOf(y.info)));
  info.id = request.id;
  info.measure_every = request.parameters.measure_every;
  info.start = start.description();
  info.target = request.target;
  info.sample_shape = x.sample_shape;
  return AddFlow(std::move(info), x.particles, nullptr, target, claim);
}

absl::StatusOr<FlowInfo> EngineImpl::AddFlow(FlowInfo info,
                                             std::shared_ptr<const DeviceEnsemble> start,
                                             const FlowState* state, EnsembleUse& target,
                                             FlowTable::Claim& claim) {
  const StoredEnsemble& y = target.ensemble();
  info.count = start->count();
  info.dim = start->dim();
  if (!info.sample_shape.has_value()) info.sample_shape = y.info.traits.sample_shape;
  const WorkEstimate work = device().backend().Estimate(
      ProblemShape{.n = info.count, .m = y.info.count, .d = info.dim}, info.spec);
  RIESZ_ASSIGN_OR_RETURN(Reservation memory,
                         device().ledger().Reserve(work.scratch_bytes, "flow '" + info.id + "'"));
  RIESZ_ASSIGN_OR_RETURN(
      auto stepper, device().backend().NewFlowStepper(std::move(start), y.particles, info.spec));
  if (state != nullptr) RIESZ_RETURN_IF_ERROR(stepper->Restore(*state));
  info.step = info.target_step = stepper->step();
  info.size_bytes = memory.bytes();
  info.device = device().report().name;
  info.determinism_fingerprint = device().report().determinism_fingerprint;
  info.create_time = info.update_time = options_.wall_now();
  info.version = 1;
  flows_.Publish(
      std::move(claim),
      std::make_shared<Flow>(FlowEnvironment(), Flow::Parts{.info = info,
                                                            .stepper = std::move(stepper),
                                                            .memory = std::move(memory),
                                                            .target = std::move(target)}));
  return info;
}

absl::StatusOr<FlowInfo> EngineImpl::AdvanceFlow(const CallContext& context, const std::string& id,
                                                 int64_t target_step) {
  RIESZ_RETURN_IF_ERROR(GuardDevice());
  if (target_step < 1 || target_step > kMaxStep) {
    return InvalidField("target_step", "in [1, 2^40]", std::to_string(target_step));
  }
  RIESZ_ASSIGN_OR_RETURN(const auto flow, flows_.Find({context.tenant, id}));
  return flow->Advance(target_step);
}

void EngineImpl::CancelFlow(const CallContext& context, const std::string& id,
                            Callback<FlowInfo> done) {
  if (absl::Status status = Guard(); !status.ok()) return done(std::move(status));
  const auto flow = flows_.Find({context.tenant, id});
  if (!flow.ok()) return done(flow.status());
  (*flow)->Cancel(std::move(done));
}

void EngineImpl::ResetFlow(const CallContext& context, const std::string& id,
                           Callback<FlowInfo> done) {
  if (absl::Status status = GuardDevice(); !status.ok()) return done(std::move(status));
  const auto flow = flows_.Find({context.tenant, id});
  if (!flow.ok()) return done(flow.status());
  RunOnWorker(context, [flow = *flow, done](absl::Status status) {
    if (!status.ok()) return done(std::move(status));
    done(flow->Reset());
  });
}

void EngineImpl::ForkFlow(const CallContext& context, ForkFlowRequest request,
                          Callback<FlowInfo> done) {
  struct Forking {
    ForkFlowRequest request;
    std::shared_ptr<Flow> source;
    EnsembleUse target;
    FlowTable::Claim claim;
  };
  auto forking = std::make_shared<Forking>();
  const auto prepare = [&]() -> absl::Status {
    RIESZ_RETURN_IF_ERROR(GuardDevice());
    RIESZ_RETURN_IF_ERROR(ValidateResourceId(request.id, "id"));
    RIESZ_ASSIGN_OR_RETURN(forking->source, flows_.Find({context.tenant, request.source_id}));
    RIESZ_ASSIGN_OR_RETURN(forking->claim, flows_.ClaimId({context.tenant, request.id}));
    RIESZ_ASSIGN_OR_RETURN(forking->target,
                           ensembles_.Use({context.tenant, forking->source->info().target},
                                          "flow '" + request.id + "'"));
    return absl::OkStatus();
  };
  if (absl::Status status = prepare(); !status.ok()) {
    forking = nullptr;
    return done(std::move(status));
  }
  forking->request = std::move(request);
  RunOnWorker(context, [this, forking, done](const absl::Status& status) {
    absl::StatusOr<FlowInfo> made =
        status.ok() ? MakeFork(forking->request, *forking->source, forking->target, forking->claim)
                    : absl::StatusOr<FlowInfo>(status);
    if (!made.ok()) device().Noted(made.status()).IgnoreError();
    *forking = Forking();
    done(std::move(made));
  });
}

absl::StatusOr<FlowInfo> EngineImpl::MakeFork(const ForkFlowRequest& request, Flow& source,
                                              EnsembleUse& target, FlowTable::Claim& claim) {
  const FlowInfo from = source.info();
  const FlowParametersRequest parameters = request.parameters.value_or(ParametersOf(from));
  FlowInfo info;
  RIESZ_ASSIGN_OR_RETURN(info.spec,
                         PlanFlow(parameters, ShapeOf(from), ShapeOf(target.ensemble().info)));
  RIESZ_ASSIGN_OR_RETURN(const Flow::Copy start, source.Snapshot(std::nullopt));
  RIESZ_ASSIGN_OR_RETURN(
      const Reservation state_memory,
      device().ledger().Reserve(source.StateBytes(), "the state of flow '" + from.id + "'"));
  RIESZ_ASSIGN_OR_RETURN(const FlowState state, source.Save());
  info.id = request.id;
  info.measure_every = parameters.measure_every;
  info.start = "flow " + from.id + ", step " + std::to_string(start.step);
  info.target = from.target;
  info.sample_shape = from.sample_shape;
  return AddFlow(std::move(info), start.particles, &state, target, claim);
}

void EngineImpl::SnapshotFlow(const CallContext& context, const std::string& flow_id,
                              EnsembleTraits traits, Callback<FlowSnapshot> done) {
  struct Taking {
    std::shared_ptr<Flow> flow;
    PendingEnsemble ensemble;
    Clock::Time submitted;
  };
  if (absl::Status status = GuardDevice(); !status.ok()) return done(std::move(status));
  const auto flow = flows_.Find({context.tenant, flow_id});
  if (!flow.ok()) return done(flow.status());
  absl::StatusOr<EnsembleStore::Claim> claim = ClaimEnsemble(context, traits);
  if (!claim.ok()) return done(claim.status());
  auto taking =
      std::make_shared<Taking>(Taking{.flow = *flow,
                                      .ensemble = {.device = &device(),
                                                   .store = &ensembles_,
                                                   .interruption = InterruptionOf(context),
                                                   .claim = *std::move(claim),
                                                   .traits = std::move(traits),
                                                   .done = nullptr},
                                      .submitted = options_.clock->Now()});
  RunOnWorker(context, [this, taking, done](const absl::Status& status) {
    const Clock::Time begin = options_.clock->Now();
    absl::StatusOr<Flow::Copy> copy =
        status.ok() ? taking->flow->Snapshot(std::nullopt) : absl::StatusOr<Flow::Copy>(status);
    ReportComputed("snapshot", copy.status(), taking->submitted, begin);
    const FlowInfo info = taking->flow->info();
    taking->flow = nullptr;
    if (!copy.ok()) {
      taking->ensemble.claim.Release();
      return done(copy.status());
    }
    if (!taking->ensemble.traits.sample_shape.has_value()) {
      taking->ensemble.traits.sample_shape = info.sample_shape;
    }
    taking->ensemble.done = [done, step = copy->step](absl::StatusOr<EnsembleInfo> kept) {
      if (!kept.ok()) return done(kept.status());
      done(FlowSnapshot{.ensemble = *std::move(kept), .step = step});
    };
    StartAdopt(
        std::make_shared<AdoptTask>(std::move(taking->ensemble), std::move(copy->particles),
                                    "flow " + info.id + ", step " + std::to_string(copy->step)));
  });
}

void EngineImpl::ReportComputed(std::string_view operation, const absl::Status& status,
                                Clock::Time submitted, Clock::Time begin) {
  if (options_.metrics == nullptr) return;
  const auto seconds = [](Clock::Time::duration duration) {
    return std::chrono::duration<double>(duration).count();
  };
  options_.metrics->Computed(operation, device().report().name, OutcomeName(status),
                             seconds(begin - submitted), seconds(options_.clock->Now() - begin));
}

absl::StatusOr<FlowInfo> EngineImpl::GetFlow(const CallContext& context, const std::string& id) {
  RIESZ_RETURN_IF_ERROR(Guard());
  RIESZ_ASSIGN_OR_RETURN(const auto flow, flows_.Find({context.tenant, id}));
  return flow->cell()->Get();
}

absl::StatusOr<Page<FlowInfo>> EngineImpl::ListFlows(const CallContext& context,
                                                     const PageRequest& request) {
  RIESZ_RETURN_IF_ERROR(Guard());
  RIESZ_ASSIGN_OR_RETURN(const auto found, flows_.List(context.tenant, request));
  return DescribePage<FlowInfo>(found, [](const Flow& flow) { return flow.cell()->Get(); });
}

void EngineImpl::DeleteFlow(const CallContext& context, const std::string& id,
                            Callback<std::monostate> done) {
  if (absl::Status status = Guard(); !status.ok()) return done(std::move(status));
  const auto erased = flows_.Erase({context.tenant, id});
  if (!erased.ok()) return done(erased.status());
  (*erased)->MarkDeleted();
  // Deleting is not interrupted by its caller's leaving, nor refused for lack of room.
  const absl::Status submitted = device().worker().SubmitAlways(
      std::make_shared<TaskJob>(Interruption(CallContext(), *options_.clock, drain_),
                                [flow = *erased, done](const absl::Status&) {
                                  flow->Destroy();
                                  done(std::monostate());
                                }));
  // Refused only once the worker is closed and nothing runs on it any more.
  if (!submitted.ok()) {
    (*erased)->Destroy();
    done(std::monostate());
  }
}

absl::StatusOr<std::unique_ptr<FlowWatch>> EngineImpl::WatchFlow(const CallContext& context,
                                                                 const std::string& id,
                                                                 std::function<void()> on_change) {
  RIESZ_RETURN_IF_ERROR(Guard());
  RIESZ_ASSIGN_OR_RETURN(const auto flow, flows_.Find({context.tenant, id}));
  return flow->cell()->Watch(std::move(on_change));
}

}  // namespace riesz
