// Light of rectangles, as in standard.glsl. A rough surface's lobe is a cosine lobe that is
// stretched and turned, so that what it sends on of a polygon is what a matt surface would of the
// polygon stretched and turned back: E. Heitz et al., "Real-Time Polygonal-Light Shading with
// Linearly Transformed Cosines", 2016.
#pragma once

#include "frame.hpp"

namespace heliograph {
namespace {

HELIOGRAPH_INLINE Vec3 along_edge(Vec3 a, Vec3 b) {
    const Vec3 across = cross(a, b);
    const Float8 sine = length(across);
    return across * select(sine > 1e-6f, arc_tangent(sine, dot(a, b)) / sine, all(1.0f));
}

// The part of all light that a matt surface facing +z sends on; of what is below its horizon a
// sphere's as large (S. Hill and E. Heitz, "Real-Time Area Lighting: a Journey", 2016, p. 102).
static Float8 seen_of(Vec3 a, Vec3 b, Vec3 c, Vec3 d) {
    a = normalize(a), b = normalize(b), c = normalize(c), d = normalize(d);
    Vec3 sum = along_edge(a, b) + along_edge(b, c) + along_edge(c, d) + along_edge(d, a);
    sum *= all(0.5f / PI);
    const Float8 whole = length(sum);
    return larger((whole * whole + sum.z) / (whole + 1.0f), all(0.0f));
}

// A surface as far as light of rectangles needs it.
struct AreaSurface {
    Vec3 normal, view, point, diffuse, specular;
    Float8 facing, roughness;
    Vec2 share;  // scale and bias of `specular` in what is reflected of even light
};

static Vec3 of_area(const Frame& frame, const Light& light, const AreaSurface& s, Mask wanted) {
    const Vec3 right = vec3(light.direction), up = vec3(light.ambient);
    const Vec3 middle = vec3(light.position) - s.point;
    const Mask before = dot(cross(right, up), middle) > 0.0f;
    if (!any(wanted & before)) return vec3(0.0f, 0.0f, 0.0f);
    Vec3 aside = s.view - s.normal * dot(s.view, s.normal);
    const Vec3 other = {s.normal.y, s.normal.z, s.normal.x + 1.0f};
    aside = normalize(select(dot(aside, aside) < 1e-9f, cross(s.normal, other), aside));
    const Vec3 ahead = cross(s.normal, aside);
    const auto turned = [&](Vec3 p) -> Vec3 {
        return {dot(aside, p), dot(ahead, p), dot(s.normal, p)};
    };
    const Vec3 a = turned(middle + right - up), b = turned(middle + right + up);
    const Vec3 c = turned(middle - right + up), d = turned(middle - right - up);
    const float wide = float(frame.lobes.width), high = float(frame.lobes.height);
    const Vec2 cell = {s.roughness * (1.0f - 1.0f / wide) + 0.5f / wide,
                       root(1.0f - s.facing) * (1.0f - 1.0f / high) + 0.5f / high};
    const Corners at = corners(frame.lobes, cell);
    const float* texels = frame.lobes.texels;
    const Vec4 lobe = {between(texels, at, 4, 0), between(texels, at, 4, 1),
                       between(texels, at, 4, 2), between(texels, at, 4, 3)};
    const auto back = [&](Vec3 p) -> Vec3 {
        return {lobe.x * p.x + lobe.y * p.z, p.y, lobe.z * p.x + lobe.w * p.z};
    };
    const Vec3 once = s.specular * s.share.x + vec3(s.share.y);
    const Vec3 sent =
        s.diffuse * seen_of(a, b, c, d) + once * seen_of(back(a), back(b), back(c), back(d));
    return select(before, vec3(light.diffuse) * sent, vec3(0.0f, 0.0f, 0.0f));
}

}  // namespace
}  // namespace heliograph
