#pragma once

#include <nanobind/nanobind.h>

namespace heliograph {

// Adds the native rasterizer to the module.
void add_raster(nanobind::module_& module);

}  // namespace heliograph
