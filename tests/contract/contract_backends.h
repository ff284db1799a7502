// Which backends a binary of the contract suite runs on. One source file each defines these.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/backend/backend.h"

namespace riesz::contract {

std::vector<std::string_view> ContractBackends();
// Whether their gradients along such directions come with an error.
bool KnowsGradientError(DirectionKind kind);
// Ends the process where the backend cannot be made.
std::unique_ptr<Backend> MakeContractBackend(std::string_view name, int threads);

}  // namespace riesz::contract
