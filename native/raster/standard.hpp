// Linear light, with three.js's formulas and units: what arrives at a point, and what a surface
// sends on to the eye: standard.glsl. All vectors are in camera axes. What a light is holds for all
// lanes, so that branches on it cost nothing; `wanted` are the lanes that matter.
#pragma once

#include "area.hpp"
#include "shadows.hpp"

namespace heliograph {
namespace {

enum class Model { METALLIC, PHONG, LAMBERT };

// x^y for one y, quicker for those that are common.
HELIOGRAPH_INLINE Float8 power_of_range(Float8 range, Float8 squared, float exponent) {
    if (exponent == 2.0f) return squared;
    return exponent == 1.0f ? range : power(range, exponent);
}

// The way to a light, and how much of it would arrive on a surface that faces it.
static Vec3 arriving(const Light& light, std::int32_t kind, Vec3 point, Vec3& to_light) {
    to_light = kind == HEAD_LIGHT ? vec3(0.0f, 0.0f, 1.0f) : -vec3(light.direction);
    Float8 strength = all(1.0f);
    if (kind > PARALLEL_LIGHT) {
        const Vec3 path = vec3(light.position) - point * all(light.position[3]);
        const Float8 squared = larger(dot(path, path), all(1e-36f)), range = root(squared);
        to_light = path / range;
        const float* by = light.attenuation;
        Float8 fading = by[0] + range * by[1] + squared * by[2];
        if (by[3] != 0.0f) fading += by[3] * power_of_range(range, squared, light.specular[1]);
        const Float8 part = squared * light.specular[0];
        const Float8 window = clamp(1.0f - part * part, 0.0f, 1.0f);
        strength = window * window / larger(fading, all(0.01f));
    }
    if (kind == SPOT_LIGHT) {
        const Float8 along = -dot3(to_light, light.direction);
        const Float8 rim = clamp((along - light.direction[3]) / light.specular[3], 0.0f, 1.0f);
        strength *= rim * rim * (3.0f - 2.0f * rim);
        const float exponent = light.diffuse[3];
        if (exponent != 0.0f) strength *= power(larger(along, all(1e-6f)), exponent);
    }
    return vec3(light.diffuse) * strength;
}

// Light from all sides that arrives where a surface faces this way, without that of a picture.
HELIOGRAPH_INLINE Vec3 around(const FrameBlock& block, Vec3 n) {
    const float(*by)[4] = block.around;
    return {dot3(n, by[0]) + by[0][3], dot3(n, by[1]) + by[1][3], dot3(n, by[2]) + by[2][3]};
}

// That of a picture.
HELIOGRAPH_INLINE Float8 bent(const float* matrix, Vec3 n) {
    const Vec4 turned = transformed(matrix, n, 1.0f);
    const Float8 sum = n.x * turned.x + n.y * turned.y + n.z * turned.z + turned.w;
    return larger(sum, all(0.0f));
}
HELIOGRAPH_INLINE Vec3 radiance_around(const FrameBlock& block, Vec3 n) {
    return {bent(block.bent[0], n), bent(block.bent[1], n), bent(block.bent[2], n)};
}

// Light of that picture from a way in camera axes, as a surface of this roughness blurs it.
static Vec3 radiance_from(const Frame& frame, Vec3 way, Float8 roughness) {
    Vec3 d = world_way(frame, way);
    d = d / (absolute(d.x) + absolute(d.y) + absolute(d.z));
    const Float8 lower = larger(-d.z, all(0.0f));
    const float scale = 0.5f - 1.0f / float(frame.radiance.width);
    const Vec2 where = {(d.x + select(d.x >= 0.0f, lower, -lower)) * scale + 0.5f,
                        (d.y + select(d.y >= 0.0f, lower, -lower)) * scale + 0.5f};
    const Float8 level = clamp(roughness, 0.0f, 1.0f) * float(RADIANCE_LEVELS - 1);
    const Int8 sharper = truncated(level);
    const Int8 softer = select(sharper < RADIANCE_LEVELS - 1, sharper + 1, sharper);
    const int size = frame.radiance.width * frame.radiance.height;
    const Corners at = corners(frame.radiance, where);
    const Vec3 sharp = colour_between(frame.radiance.texels, at.shifted(sharper * size));
    const Vec3 soft = colour_between(frame.radiance.texels, at.shifted(softer * size));
    return mix(sharp, soft, level - to_float(sharper)) * all(frame.block->levels[1]);
}

// Schlick's Fresnel term as part of the way from what is reflected head-on to everything.
HELIOGRAPH_INLINE Float8 grazing(Float8 facing) {
    return exp2((-5.55473f * facing - 6.98316f) * facing);
}

// A surface, as far as it is the same for all lights.
struct Surface {
    Vec3 normal, view, diffuse;
    Vec3 specular;      // what is reflected head-on
    Vec3 boost;         // of METALLIC: makes up for what bounces more than once
    Float8 dielectric;  // what is reflected head-on where it is no metal
    Float8 alpha2, facing, hidden;  // roughness^4; n.v; of the masking of the view
    Float8 exponent;    // of PHONG: how sharp
};

// What a surface sends on of one light; `light` is what arrives on what faces it.
template <Model model>
HELIOGRAPH_INLINE Vec3 reflected(const Surface& s, Vec3 light, Vec3 to_light) {
    const Vec3 one = vec3(1.0f, 1.0f, 1.0f);
    const Float8 facing = dot(s.normal, to_light), lit = clamp(facing, 0.0f, 1.0f);
    Vec3 sent = s.diffuse * all(1.0f / PI);
    if constexpr (model != Model::LAMBERT) {
        // The half vector of two unit vectors, without building it: |l + v|^2 = 2 + 2 l.v.
        const Float8 across = dot(to_light, s.view);
        const Float8 shrink = inverse_root(larger(2.0f + 2.0f * across, all(1e-6f)));
        const Float8 half_normal = clamp((facing + dot(s.normal, s.view)) * shrink, 0.0f, 1.0f);
        const Float8 rest = grazing(clamp((1.0f + across) * shrink, 0.0f, 1.0f));
        const Vec3 mirrored = mix(s.specular, one, rest);
        if constexpr (model == Model::METALLIC) {
            const Float8 beside = 1.0f - s.alpha2;
            const Float8 spread = half_normal * half_normal * -beside + 1.0f;
            const Float8 masked = lit * s.hidden + s.facing * root(s.alpha2 + beside * lit * lit);
            const Float8 lobe =
                s.alpha2 / (PI * spread * spread) * 0.5f / larger(masked, all(1e-6f));
            sent *= 1.0f - mix(s.dielectric, all(1.0f), rest);
            sent += mirrored * s.boost * lobe;
        } else {
            const Float8 shine = power(larger(half_normal, all(1e-6f)), s.exponent);
            sent += mirrored * (0.25f * (0.5f * s.exponent + 1.0f) / PI * shine);
        }
    }
    return light * sent * lit;
}

// What is to be shaded: `material` is metallic, roughness and what a dielectric reflects, of PHONG
// the highlight; `normal` is `flat_normal` with the bumps of a texture; `turning` is how much the
// normal turns from pixel to pixel, `open` how much light from all sides arrives; `pixel` is as in
// gl_FragCoord.
struct StandardSurface {
    Vec3 rgb;
    Vec4 material;
    Vec3 point, flat_normal, normal, view;
    Float8 turning, open;
    bool has_occlusion;
    Vec2 pixel;
};

// What a surface sends on of light from all sides, of what is METALLIC; fills in the rest of `s`.
static Vec3 metallic_around(const Frame& frame, const StandardSurface& a, Surface& s,
                            AreaSurface& area) {
    const FrameBlock& block = *frame.block;
    const Float8 roughness = smaller(larger(a.material.y, all(0.045f)) + a.turning, all(1.0f));
    const Float8 rough2 = roughness * roughness, none = all(0.0f), one = all(1.0f);
    s.alpha2 = rough2 * rough2;
    s.facing = clamp(dot(a.normal, a.view), 0.0f, 1.0f);
    s.hidden = root(s.alpha2 + (1.0f - s.alpha2) * s.facing * s.facing);
    s.diffuse = a.rgb * (1.0f - a.material.x);
    s.dielectric = a.material.z;
    s.specular = mix(vec3(a.material.z), a.rgb, a.material.x);
    const Corners at = corners(frame.albedo, {roughness, s.facing});
    const float* texels = frame.albedo.texels;
    const Vec2 share = {between(texels, at, 2, 0), between(texels, at, 2, 1)};
    const Float8 once = share.x + share.y, lost = 1.0f - once;
    s.boost = s.specular * (1.0f / once - 1.0f) + vec3(one);
    // What is reflected of even light, at once and after more bounces, is not diffused.
    const Float8 single = a.material.z * share.x + share.y;
    const Float8 mean = a.material.z + (1.0f - a.material.z) * 0.047619f;
    const Float8 even = 1.0f - single - single * mean / (1.0f - lost * mean) * lost;
    Vec3 arrives = around(block, a.normal), sum = vec3(none);
    if (frame.radiance.texels != nullptr) {
        const Vec3 from_picture = radiance_around(block, a.normal);
        arrives += from_picture;
        const Vec3 mirrored = a.normal * (2.0f * dot(a.normal, a.view)) - a.view;
        const Vec3 way = normalize(mix(mirrored, a.normal, s.alpha2));
        const Vec3 first = s.specular * share.x + vec3(share.y);
        const Vec3 average = s.specular + (vec3(one) - s.specular) * all(0.047619f);
        const Vec3 later = first * average / (vec3(one) - average * lost) * lost;
        sum = radiance_from(frame, way, roughness) * first + from_picture / all(PI) * later;
        if (a.has_occlusion) {
            const Float8 sharp = exp2(-16.0f * roughness - 1.0f);
            const Float8 part = power(larger(s.facing + a.open, all(1e-37f)), sharp);
            sum *= clamp(part - 1.0f + a.open, 0.0f, 1.0f);
        }
    }
    area = {a.normal, a.view, a.point, s.diffuse, s.specular, s.facing, roughness, share};
    return sum + arrives * s.diffuse * (a.open * even / PI);
}

template <Model model>
static Vec3 standard_light(const Frame& frame, const StandardSurface& a, Mask wanted) {
    const FrameBlock& block = *frame.block;
    Surface s;
    AreaSurface area;
    Vec3 sum;
    s.normal = a.normal;
    s.view = a.view;
    if constexpr (model == Model::METALLIC) {
        sum = metallic_around(frame, a, s, area);
    } else {
        s.diffuse = a.rgb;
        s.specular = {a.material.x, a.material.y, a.material.z};
        s.exponent = a.material.w;
        sum = around(block, a.normal);
        if (frame.radiance.texels != nullptr) sum += radiance_around(block, a.normal);
        sum = sum * a.rgb * (a.open / PI);
    }
    const int shadowed = int(block.shadow_count), count = int(block.light_count);
    for (int i = 0; i < count; ++i) {
        const Light& light = block.lights[i];
        if (frame.kinds[i] == AREA_LIGHT) {
            if constexpr (model == Model::METALLIC) sum += of_area(frame, light, area, wanted);
            continue;
        }
        Vec3 to_light;
        const Vec3 arrives = arriving(light, frame.kinds[i], a.point, to_light);
        const Mask faces = wanted & (dot(a.normal, to_light) > 0.0f);
        if (!any(faces)) continue;
        Vec3 sent = reflected<model>(s, arrives, to_light);
        if (i < shadowed) {
            const Mask sends = faces & is_not_zero(sent);
            if (any(sends)) {
                sent *= lit_part(frame, i, a.point, a.flat_normal, to_light, a.pixel, sends);
            }
        }
        sum += select(faces, sent, vec3(0.0f, 0.0f, 0.0f));
    }
    return sum;
}

// What a surface sends to the eye.
static Vec3 standard_light(const Frame& frame, Model model, const StandardSurface& a, Mask wanted) {
    if (model == Model::METALLIC) return standard_light<Model::METALLIC>(frame, a, wanted);
    if (model == Model::PHONG) return standard_light<Model::PHONG>(frame, a, wanted);
    return standard_light<Model::LAMBERT>(frame, a, wanted);
}

}  // namespace
}  // namespace heliograph
