// What fades with the distance, and what is seen of a picture of all around: frame.glsl, sky.frag.
#pragma once

#include "tone.hpp"

namespace heliograph {
namespace {

// How much haze is seen along a way from the eye, world axes. It lies on the plane from where it
// starts to a circle where it is complete, and on a slope that rises from there, as far again
// outwards, to the height of the eye.
static Float8 haze_along(const FrameBlock& block, Vec3 way) {
    const float *plane = block.haze_plane, *eye = block.world_from_camera + 12;
    const float height = plane[0] * eye[0] + plane[1] * eye[1] + plane[2] * eye[2] + plane[3];
    const float start = block.haze[3], end = block.haze_end;
    const Float8 down = -dot3(way, plane);
    const Float8 steep = down / larger(length(way + vec3(plane) * down), all(1e-6f));
    // The circle, as part of the height.
    const Float8 above = smaller(1.0f - steep * end / height, all(1.0f));
    const Float8 slope = 1.0f - above / (1.0f + (1.0f - above) * (1.0f - start / end));
    const float room = end - start > 1e-6f ? end - start : 1e-6f;
    const Float8 level = (height / steep - start) / room;
    return clamp(select(above > 0.0f, slope, level), 0.0f, 1.0f);
}

// A surface's colour with its part of haze; `point` is in camera axes.
HELIOGRAPH_INLINE Vec3 hazed(const Frame& frame, Vec3 rgb, Vec3 point) {
    return mix(rgb, vec3(frame.block->haze), haze_along(*frame.block, world_way(frame, point)));
}

HELIOGRAPH_INLINE Vec2 unprojected(const FrameBlock& block, Vec2 pixel) {
    const float* by = block.unproject;
    return {pixel.x * by[0] + by[2], pixel.y * by[1] + by[3]};
}

// The same of what is behind everything; below the plane there is none.
static Vec3 sky_hazed(const Frame& frame, Vec3 rgb, Vec2 pixel) {
    const FrameBlock& block = *frame.block;
    const float *plane = block.haze_plane, *eye = block.world_from_camera + 12;
    if (plane[0] * eye[0] + plane[1] * eye[1] + plane[2] * eye[2] + plane[3] <= 0.0f) return rgb;
    const Vec2 where = unprojected(block, pixel);
    return hazed(frame, rgb, {where.x, where.y, all(-1.0f)});
}

// What a screen shows of the picture of all around; `pixel` as in gl_FragCoord.
static Vec3 sky_radiance(const Frame& frame, Vec2 pixel) {
    const FrameBlock& block = *frame.block;
    const Vec2 where = block.orthographic > 0.0f ? vec2(0.0f, 0.0f) : unprojected(block, pixel);
    const Vec3 ray = world_way(frame, {where.x, where.y, all(-1.0f)});
    const Float8 turn = arc_tangent(ray.x, ray.y);
    const Float8 tilt = arc_tangent(ray.z, length(Vec2{ray.x, ray.y}));  // near the poles no asin
    const Vec2 part = {turn / 6.2831853f + 0.5f, 0.5f - tilt / 3.1415927f};
    const Vec3 light = colour_between(frame.seen.texels, corners_round(frame.seen, part));
    return shown(frame, light * all(block.levels[1]));
}

}  // namespace
}  // namespace heliograph
