#pragma once
#include "maths.hpp"
#include "scene.hpp"
namespace heliograph { namespace {
struct ShapeUv { Vec2 uv; Vec3 along_u, along_v; };
inline Vec2 shape_uv(Solver, Vec3 p, Vec3, float) { return {p.x, p.y}; }
inline ShapeUv three_js_uv(Solver, Vec3 p, Vec3, float) { return {{p.x,p.y},vec3(1,0,0),vec3(0,1,0)}; }
} }
