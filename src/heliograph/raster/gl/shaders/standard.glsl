// Linear light, with three.js's formulas and units: what arrives at a point, and what a surface
// sends on to the eye. All vectors are in camera axes. As in lighting.glsl, programs made to measure
// know what each light is.
#ifdef KINDS
#define KIND(i) (KINDS >> 3 * (i) & 7)
#else
#define KIND(i) SPOT_LIGHT
#endif
#ifdef KINDS
#define IS_AREA(i) (KIND(i) == AREA_LIGHT)
#else
#define IS_AREA(i) (lights[i].position.w > 1.5)
#endif
const float PI = 3.14159265;

// The way to a light, and how much of it would arrive on a surface that faces it.
vec3 arriving(int i, int kind, vec3 point, out vec3 to_light) {
    to_light = kind == HEAD_LIGHT ? vec3(0.0, 0.0, 1.0) : -lights[i].direction.xyz;
    float strength = 1.0;
    if (kind > PARALLEL_LIGHT) {
        vec3 path = lights[i].position.xyz - lights[i].position.w * point;
        float squared = max(dot(path, path), 1e-36), range = sqrt(squared);
        to_light = path / range;
        float fading = dot(lights[i].attenuation, vec4(1.0, range, squared, pow(range, lights[i].specular.y)));
        float window = clamp(1.0 - squared * lights[i].specular.x * (squared * lights[i].specular.x), 0.0, 1.0);
        strength = window * window / max(fading, 0.01);
    }
    if (kind == SPOT_LIGHT) {
        float along = dot(-to_light, lights[i].direction.xyz);
        float rim = clamp((along - lights[i].direction.w) / lights[i].specular.w, 0.0, 1.0);
        strength *= rim * rim * (3.0 - 2.0 * rim) * pow(max(along, 1e-6), lights[i].diffuse.w);
    }
    return strength * lights[i].diffuse.rgb;
}

// Light from all sides that arrives where a surface faces this way, without that of a picture.
vec3 around(vec3 normal) {
    vec4 n = vec4(normal, 1.0);
    return vec3(dot(around_red, n), dot(around_green, n), dot(around_blue, n));
}

// Schlick's Fresnel term as part of the way from what is reflected head-on to everything.
float grazing(float facing) {
    return exp2((-5.55473 * facing - 6.98316) * facing);
}

// A surface, as far as it is the same for all lights.
struct Surface {
    vec3 normal, view, diffuse;
#ifdef METALLIC
    vec3 specular, boost;  // what is reflected head-on; makes up for what bounces more than once
    float dielectric;      // what is reflected head-on where it is no metal
    float alpha2, facing, hidden;  // roughness^4; n.v; of the masking of the view
#endif
#ifdef PHONG
    vec4 highlight;        // linear colour, and how sharp
#endif
};

// What a surface sends on of one light; `light` is what arrives on what faces it.
vec3 reflected(Surface s, vec3 light, vec3 to_light) {
    float facing = dot(s.normal, to_light), lit = clamp(facing, 0.0, 1.0);
    vec3 sent = s.diffuse * (1.0 / PI);
#if defined(METALLIC) || defined(PHONG)
    // The half vector of two unit vectors, without building it: |l + v|^2 = 2 + 2 l.v.
    float across = dot(to_light, s.view);
    float shrink = inversesqrt(max(2.0 + 2.0 * across, 1e-6));
    float half_normal = clamp((facing + dot(s.normal, s.view)) * shrink, 0.0, 1.0);
    float rest = grazing(clamp((1.0 + across) * shrink, 0.0, 1.0));
#endif
#ifdef METALLIC
    float beside = 1.0 - s.alpha2;
    float spread = half_normal * half_normal * -beside + 1.0;
    float masked = lit * s.hidden + s.facing * sqrt(s.alpha2 + beside * lit * lit);
    float lobe = s.alpha2 / (PI * spread * spread) * 0.5 / max(masked, 1e-6);
    sent *= 1.0 - mix(s.dielectric, 1.0, rest);
    sent += mix(s.specular, vec3(1.0), rest) * s.boost * lobe;
#endif
#ifdef PHONG
    float lobe = 0.25 * (0.5 * s.highlight.a + 1.0) / PI * pow(max(half_normal, 1e-6), s.highlight.a);
    sent += mix(s.highlight.rgb, vec3(1.0), rest) * lobe;
#endif
    return lit * light * sent;
}

#ifdef METALLIC
uniform sampler2D albedo;  // scale and bias of `specular` in what is reflected of even light
#endif
#ifdef RADIANCE
#ifdef METALLIC
uniform sampler2DArray radiance;
const float ROUGHEST = float(RADIANCE_LEVELS - 1);
// Light from a way in camera axes, as a surface of this roughness blurs it.
vec3 radiance_from(vec3 way, float roughness) {
    vec3 d = mat3(world_from_camera) * way;
    d /= abs(d.x) + abs(d.y) + abs(d.z);
    float lower = max(-d.z, 0.0);
    vec2 folded = d.xy + vec2(d.x >= 0.0 ? lower : -lower, d.y >= 0.0 ? lower : -lower);
    vec2 where = folded * (0.5 - 1.0 / float(textureSize(radiance, 0).x)) + 0.5;
    float level = roughness * ROUGHEST, whole = floor(level);
    vec3 sharper = textureLod(radiance, vec3(where, whole), 0.0).rgb;
    vec3 softer = textureLod(radiance, vec3(where, min(whole + 1.0, ROUGHEST)), 0.0).rgb;
    return levels.y * mix(sharper, softer, level - whole);
}
#endif
vec3 radiance_around(vec3 normal) {
    vec4 n = vec4(normal, 1.0);
    return max(vec3(dot(n, bent_red * n), dot(n, bent_green * n), dot(n, bent_blue * n)), 0.0);
}
#endif

#if defined(AREA) && defined(METALLIC)
// Light of rectangles. A rough surface's lobe is a cosine lobe that is stretched and turned, so that
// what it sends on of a polygon is what a matt surface would of the polygon stretched and turned
// back: E. Heitz et al., "Real-Time Polygonal-Light Shading with Linearly Transformed Cosines", 2016.
uniform sampler2D lobes;  // what turns it back; see area_lights.py
vec3 along_edge(vec3 a, vec3 b) {
    vec3 across = cross(a, b);
    float sine = length(across);
    return across * (sine > 1e-6 ? atan(sine, dot(a, b)) / sine : 1.0);
}
// The part of all light that a matt surface facing +z sends on; of what is below its horizon a
// sphere's as large (S. Hill and E. Heitz, "Real-Time Area Lighting: a Journey", 2016, p. 102).
float seen_of(vec3 a, vec3 b, vec3 c, vec3 d) {
    a = normalize(a), b = normalize(b), c = normalize(c), d = normalize(d);
    vec3 sum = along_edge(a, b) + along_edge(b, c) + along_edge(c, d) + along_edge(d, a);
    sum *= 0.5 / PI;
    float whole = length(sum);
    return max((whole * whole + sum.z) / (whole + 1.0), 0.0);
}
vec3 of_area(int i, Surface s, float roughness, vec2 share, vec3 point) {
    vec3 right = lights[i].direction.xyz, up = lights[i].ambient.xyz;
    vec3 middle = lights[i].position.xyz - point;
    if (dot(cross(right, up), middle) <= 0.0) return vec3(0.0);
    vec3 aside = s.view - s.normal * dot(s.view, s.normal);
    if (dot(aside, aside) < 1e-9) aside = cross(s.normal, s.normal.yzx + vec3(0.0, 0.0, 1.0));
    aside = normalize(aside);
    mat3 turn = transpose(mat3(aside, cross(s.normal, aside), s.normal));
    vec3 a = turn * (middle + right - up), b = turn * (middle + right + up);
    vec3 c = turn * (middle - right + up), d = turn * (middle - right - up);
    vec2 size = vec2(textureSize(lobes, 0));
    vec2 cell = vec2(roughness, sqrt(1.0 - s.facing)) * (1.0 - 1.0 / size) + 0.5 / size;
    vec4 lobe = texture(lobes, cell);
    mat3 back = mat3(lobe.x, 0.0, lobe.z, 0.0, 1.0, 0.0, lobe.y, 0.0, lobe.w);
    vec3 sent = s.diffuse * seen_of(a, b, c, d);
    sent += (s.specular * share.x + share.y) * seen_of(back * a, back * b, back * c, back * d);
    return lights[i].diffuse.rgb * sent;
}
#define ADD_AREA(i) sum += of_area(i, s, roughness, share, point);
#else
#define ADD_AREA(i)
#endif

#include shadows
#ifdef AREA
#define ADD(i)                                                                 \
    if (IS_AREA(i)) { ADD_AREA(i) } else {                                     \
        light = arriving(i, KIND(i), point, to_light);                         \
        sum += reflected(s, light, to_light);                                  \
    }
#else
#define ADD(i)                                                                 \
    light = arriving(i, KIND(i), point, to_light);                             \
    sum += reflected(s, light, to_light);
#endif
#define ADD_SHADOWED(i)                                                        \
    light = arriving(i, KIND(i), point, to_light);                             \
    shed = reflected(s, light, to_light);                                      \
    if (shed != vec3(0.0)) sum += lit_part(i, point, flat_normal, to_light) * shed;

// What a surface sends to the eye. `material` is metallic, roughness and what a dielectric reflects,
// of what is PHONG the highlight; `normal` is `flat_normal` with the bumps of a texture; `turning` is how much the normal turns from pixel to pixel, `open`
// how much light from all sides arrives.
vec3 shade(vec3 rgb, vec4 material, vec3 point, vec3 flat_normal, vec3 normal, vec3 view, float turning,
           float open) {
    Surface s;
    s.normal = normal;
    s.view = view;
    s.diffuse = rgb;
    vec3 sum = vec3(0.0), light, to_light, shed, ambient_light = around(normal);
#ifdef RADIANCE
    vec3 from_picture = radiance_around(normal);
    ambient_light += from_picture;
#endif
#ifdef METALLIC
    float roughness = min(max(material.y, 0.045) + turning, 1.0);
    s.alpha2 = roughness * roughness * roughness * roughness;
    s.facing = clamp(dot(normal, view), 0.0, 1.0);
    s.hidden = sqrt(s.alpha2 + (1.0 - s.alpha2) * s.facing * s.facing);
    s.diffuse = rgb * (1.0 - material.x);
    s.dielectric = material.z;
    s.specular = mix(vec3(material.z), rgb, material.x);
    vec2 share = texture(albedo, vec2(roughness, s.facing)).rg;
    float once = share.x + share.y, lost = 1.0 - once;
    s.boost = 1.0 + s.specular * (1.0 / once - 1.0);
    // What is reflected of even light, at once and after more bounces, is not diffused.
    float single = material.z * share.x + share.y, mean = material.z + (1.0 - material.z) * 0.047619;
    float even = 1.0 - single - single * mean / (1.0 - lost * mean) * lost;
#ifdef RADIANCE
    float rough2 = roughness * roughness;
    vec3 way = normalize(mix(reflect(-view, normal), normal, rough2 * rough2));
    vec3 first = s.specular * share.x + share.y, average = s.specular + (1.0 - s.specular) * 0.047619;
    vec3 later = first * average / (1.0 - lost * average) * lost;
    float seen = 1.0;
#ifdef LAYER_OCCLUSION
    seen = clamp(pow(s.facing + open, exp2(-16.0 * roughness - 1.0)) - 1.0 + open, 0.0, 1.0);
#endif
    sum += seen * (radiance_from(way, roughness) * first + from_picture / PI * later);
#endif
    sum += open * even * ambient_light * s.diffuse / PI;
#else
#ifdef PHONG
    s.highlight = material;
#endif
    sum += open * ambient_light * rgb / PI;
#endif
    SHADOWED_LIGHTS
    OTHER_LIGHTS
    return sum;
}
