// Fixed-function lighting (Blinn's half vector), per pixel or per vertex: lighting.glsl. What a
// light is holds for all lanes, so that branches on it cost nothing.
#pragma once

#include "shadows.hpp"

namespace heliograph {
namespace {

struct ClassicSurface {
    Vec3 rgb;
    Float8 emission, specular, exponent;
    Vec3 point, normal, view;  // camera axes; view is the way to the eye, both of unit length
};

// Adds a light's ambient part to `sum`; the result is what else it sends to the eye.
static Vec3 classic_direct(const Light& light, std::int32_t kind, const ClassicSurface& s,
                           Mask wanted, Vec3& sum) {
    const Float8 none = all(0.0f);
    Vec3 to_light = kind == HEAD_LIGHT ? vec3(0.0f, 0.0f, 1.0f) : -vec3(light.direction);
    Float8 strength = all(1.0f);
    if (kind > PARALLEL_LIGHT) {
        const Vec3 path = vec3(light.position) - s.point * all(light.position[3]);
        const Float8 squared = dot(path, path), range = root(squared);
        to_light = path / range;
        const float* fading = light.attenuation;
        strength = 1.0f / (fading[0] + range * fading[1] + squared * fading[2]);
    }
    if (kind == SPOT_LIGHT) {
        const Float8 along = -dot3(to_light, light.direction);
        strength *= clamp((along - light.direction[3]) / light.specular[3], 0.0f, 1.0f);
        const float exponent = light.diffuse[3];
        if (exponent != 0.0f) strength *= power(larger(along, all(1e-6f)), exponent);
    }
    const Float8 facing = dot(s.normal, to_light);
    sum += s.rgb * vec3(light.ambient) * strength;
    Vec3 direct = s.rgb * vec3(light.diffuse) * larger(facing, none);
    const Mask glossy = (facing > 0.0f) & (s.specular != 0.0f);
    if (any(wanted & glossy)) {
        // The half vector of two unit vectors, without building it: |l + v|^2 = 2 + 2 l.v.
        const Float8 across = dot(to_light, s.view);
        const Float8 shrink = inverse_root(larger(2.0f + 2.0f * across, all(1e-6f)));
        const Float8 shine = (facing + dot(s.normal, s.view)) * shrink;
        const Float8 gloss = power(larger(shine, all(1e-6f)), s.exponent);
        direct += vec3(light.specular) * (s.specular * select(glossy, gloss, none));
    }
    return direct * strength;
}

HELIOGRAPH_INLINE Vec3 classic_start(const FrameBlock& block, const ClassicSurface& s) {
    return s.rgb * (vec3(block.ambient) + vec3(s.emission));
}

// What a surface sends to the eye, which may be more than a screen shows.
static Vec3 classic_light(const Frame& frame, const ClassicSurface& s, Mask wanted) {
    const FrameBlock& block = *frame.block;
    const int shadowed = int(block.shadow_count), count = int(block.light_count);
    Vec3 sum = classic_start(block, s);
    for (int i = 0; i < count; ++i) {
        Vec3 direct = classic_direct(block.lights[i], frame.kinds[i], s, wanted, sum);
        if (i < shadowed) {
            const Mask sends = wanted & is_not_zero(direct);
            if (any(sends)) direct *= lit_part(frame, i, s.point, sends);
        }
        sum += direct;
    }
    return sum;
}

// Of vertices: that without what lights with shadow maps send, from 0 to 1, and what they do. A
// pixel adds of direct[i] `lit_part(frame, i, point, wanted)`.
static Vec3 classic_vertex_light(const Frame& frame, const ClassicSurface& s, Mask wanted,
                                 Vec3 direct[MAX_SHADOWS]) {
    const FrameBlock& block = *frame.block;
    const int shadowed = int(block.shadow_count), count = int(block.light_count);
    Vec3 sum = classic_start(block, s);
    for (int i = 0; i < count; ++i) {
        const Vec3 sent = classic_direct(block.lights[i], frame.kinds[i], s, wanted, sum);
        if (i < shadowed) {
            direct[i] = clamp(sent, 0.0f, 1.0f);
        } else {
            sum += sent;
        }
    }
    return clamp(sum, 0.0f, 1.0f);
}

}  // namespace
}  // namespace heliograph
