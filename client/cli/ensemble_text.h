// Ensembles as text.
//
// Thread safety: the functions are pure.
#pragma once

#include <string>

#include "riesz/v1/ensemble_service.pb.h"

namespace riesz::cli {

// "ensemble 'y': 3000 x 64, 750.0 KiB on cpu, generator normal, seed 5".
std::string EnsembleLine(const v1::Ensemble& ensemble);
// Every field, one a line.
std::string EnsembleText(const v1::Ensemble& ensemble);
std::string EnsembleTable(const v1::ListEnsemblesResponse& list);
// "1x28x28" (CHW).
std::string ShapeText(const v1::SampleShape& shape);

}  // namespace riesz::cli
